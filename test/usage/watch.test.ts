import { expect } from "chai";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import type { WatchActiveRequestsResponse } from "../../gen/tally/v1/usage_recorder_pb.js";
import { createActiveStore } from "../../src/usage/active-store.js";
import { createActiveWatch, type WatchedRecords } from "../../src/usage/active-watch.js";
import { createUsageStore } from "../../src/usage/usage-store.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { eventually } from "../support/eventually.js";
import { silentLogger } from "../support/postgres.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { USAGE_CATALOG, usage } from "./usage-fixture.js";

const { PENDING, STREAMING, COMPLETED, FAILED } = UsageStatus;

describe("WatchActiveRequests", () => {
  let app: TestApp;
  let other: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
    other = await startTestApp({ replicaOf: app });
  });
  after(async () => {
    await other.stop();
    await app.stop();
  });

  /** Watches on a replica; what was told of each request, in order. */
  function watch(replica: TestApp, userId: string, includeProviderDetails = false) {
    const ending = new AbortController();
    const messages: WatchActiveRequestsResponse[] = [];
    const request = { userId, includeProviderDetails };
    const answers = replica.clients.recorder.watchActiveRequests(request, {
      signal: ending.signal,
      timeoutMs: Number.POSITIVE_INFINITY,
    });
    const ended = (async () => {
      for await (const message of answers) messages.push(message);
    })();
    return {
      messages,
      ended,
      told: (requestId: string) =>
        messages.flatMap(({ statuses }) =>
          statuses.filter((status) => status.requestId === requestId).map(({ status }) => status),
        ),
      begun: () => eventually("the picture comes", () => messages[0]),
      async end() {
        ending.abort();
        await rpcFailure(ended);
      },
    };
  }

  async function start(userId: string): Promise<string> {
    const input = usage({ userId });
    await app.clients.recorder.startUsage({ usage: input });
    return input.requestId;
  }

  const update = (requestId: string, status: UsageStatus, replica = app) =>
    replica.clients.recorder.updateUsageStatus({ requestId, status });

  it("tells what is active, then every change, made through another replica too", async () => {
    const userId = uniqueId("user");
    const early = await start(userId);
    const done = await start(userId);
    await update(done, COMPLETED);
    const watching = watch(other, userId);
    await watching.begun();
    expect(watching.messages[0]).to.deep.include({ snapshot: true });
    expect(watching.messages[0]!.statuses.map(({ requestId }) => requestId)).to.deep.equal([early]);

    const late = await start(userId);
    await start(uniqueId("stranger"));
    const lags: number[] = [];
    for (const [requestId, status, replica] of [
      [late, PENDING, undefined],
      [late, STREAMING, app],
      [early, STREAMING, other],
      [late, FAILED, app],
      [early, COMPLETED, app],
    ] as const) {
      const changedMs = performance.now();
      if (replica) await update(requestId, status, replica);
      await eventually(`${status} is told`, () => watching.told(requestId).at(-1) === status);
      lags.push(performance.now() - changedMs);
    }
    // A machine with other work may be late now and then, but not always.
    expect(Math.min(...lags)).to.be.below(1_000);
    expect(watching.told(late)).to.deep.equal([PENDING, STREAMING, FAILED]);
    expect(watching.told(done)).to.deep.equal([]);
    const { messages } = watching;
    expect(messages.filter(({ snapshot }) => snapshot).length).to.equal(1);
    expect(
      new Set(messages.flatMap(({ statuses }) => statuses.map((one) => one.userId))),
    ).to.deep.equal(new Set([userId]));
    expect(messages[0]!.statuses[0]!.provider).to.equal(undefined);
    await watching.end();
  });

  it("begins with an empty picture when nothing is active, and tells who serves if asked", async () => {
    const userId = uniqueId("user");
    const watching = watch(app, userId, true);
    await watching.begun();
    expect(watching.messages[0]).to.deep.include({ snapshot: true, statuses: [] });
    const requestId = await start(userId);
    await eventually("it is told", () => watching.told(requestId).length > 0);
    const told = watching.messages.flatMap(({ statuses }) => statuses)[0]!;
    expect(told.provider).to.deep.include({ provider: "acme" });
    await watching.end();
  });

  it("ends when the server stops, so that the watcher goes to another one", async () => {
    const third = await startTestApp({ replicaOf: app });
    const watching = watch(third, "");
    await watching.begun();
    const [error] = await Promise.all([rpcFailure(watching.ended), third.stop()]);
    expect(error.reason).to.equal("SHUTTING_DOWN");
  });

  it("gives a watcher that is slow a new picture, and looks only while somebody watches", async () => {
    let looks = 0;
    const activeStore = createActiveStore(app.database);
    const { watch: watchHere } = createActiveWatch({
      activeStore: {
        ...activeStore,
        async readActiveVersions(limit) {
          looks += 1;
          // The first look fails, as when the database is away.
          if (looks === 1) throw new Error("away");
          return activeStore.readActiveVersions(limit);
        },
      },
      store: createUsageStore(app.database),
      logger: silentLogger,
      pollMs: 5,
      limit: 3,
    });
    const userId = uniqueId("user");
    const ending = new AbortController();
    const told = watchHere(userId, ending.signal);
    const next = async (): Promise<{ isSnapshot: boolean; ids: string[] }> => {
      const { isSnapshot, records }: WatchedRecords = (await told.next()).value!;
      return { isSnapshot, ids: records.map(({ requestId }) => requestId).sort() };
    };
    expect(await next()).to.deep.equal({ isSnapshot: true, ids: [] });
    const first = await start(userId);
    expect(await next()).to.deep.equal({ isSnapshot: false, ids: [first] });
    const more: string[] = [];
    for (let index = 0; index < 5; index += 1) more.push(await start(userId));
    const seen = looks;
    await eventually("it has looked", () => looks > seen + 1);
    // Six are active, of which the picture has room for the three newest.
    expect(await next()).to.deep.equal({ isSnapshot: true, ids: more.slice(-3).sort() });

    const waiting = told.next().then(
      () => "told",
      (reason: unknown) => reason,
    );
    const reason = new Error("gone");
    ending.abort(reason);
    expect(await waiting).to.equal(reason);
    let last = -1;
    await eventually("it looks no more", async () => {
      const isQuiet = last === looks;
      last = looks;
      return isQuiet;
    });
  });
});

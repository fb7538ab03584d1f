import { expect } from "chai";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { createActiveStore } from "../../src/usage/active-store.js";
import { createSweeper } from "../../src/usage/sweeper.js";
import {
  type CheckInit,
  reserve,
  standing,
  untilKnown,
  userWithLimit,
} from "../quota/quota-fixture.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { silentLogger } from "../support/postgres.js";
import { readTotals, sonnetCost, USAGE_CATALOG, type UsageInit, usage } from "./usage-fixture.js";

const { STREAMING, FAILED } = UsageStatus;
const MINUTE_MS = 60_000;

describe("stale requests", () => {
  let app: TestApp;
  let other: TestApp;
  let nowMs = Date.now();

  before(async () => {
    app = await startTestApp({ nowMs: () => nowMs });
    await app.apply(USAGE_CATALOG);
    await app.apply({
      providerEndpoints: [
        { providerEndpointId: "patient", provider: "acme", requestTimeout: { seconds: 3_600n } },
        { providerEndpointId: "hasty", provider: "acme", requestTimeout: { seconds: 30n } },
      ],
    });
    other = await startTestApp({ replicaOf: app, nowMs: () => nowMs });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await other.stop();
    await app.stop();
  });

  /** A request that streams, with a reservation of its user's budget of $1. */
  async function startStream(fields: UsageInit = {}, check: CheckInit = {}) {
    const userId = await userWithLimit(app, 1_000_000_000n);
    const { reservationId } = await reserve(app, userId, 100_000_000n, check);
    const input = usage({ userId, outputTokens: 0n, inputTokens: 0n, ...fields });
    await app.clients.recorder.startUsage({ usage: input, reservationId });
    const { requestId } = input;
    await app.clients.recorder.updateUsageStatus({ requestId, status: STREAMING });
    return { input: { ...input, userId }, userId, requestId, reservationId };
  }

  async function statusOf(requestId: string): Promise<UsageStatus> {
    return (await app.clients.recorder.getUsage({ requestId })).record!.status;
  }

  it("never fails a stream of 20 minutes with heartbeats, and fails one without", async () => {
    const { recorder, operations } = app.clients;
    const beating = await startStream();
    const silent = await startStream();
    const { requestId } = beating;
    const startedAt = new Date(nowMs).toISOString();
    for (let minute = 1; minute <= 20; minute += 1) {
      nowMs += MINUTE_MS;
      await recorder.updateUsageStatus({ requestId, status: STREAMING });
      await operations.expireStaleRequests({});
      expect(await statusOf(requestId)).to.equal(STREAMING);
      expect(await statusOf(silent.requestId)).to.equal(minute <= 10 ? STREAMING : FAILED);
    }
    const { record } = await recorder.getUsage({ requestId: silent.requestId });
    expect(record).to.deep.include({ statusCode: 504, revision: 1n, budgetCharges: [] });
    expect(record!.errorMessage).to.contain(`STREAMING without activity since ${startedAt}`);
    expect(await standing(app, silent.userId)).to.deep.equal({ spent: 0n, held: 0n });
    expect(await standing(app, beating.userId)).to.deep.equal({ spent: 0n, held: 100_000_000n });
    await expectBalancedBooks(app);
  });

  it("completes a failed one by its late record, and charges once", async () => {
    const { recorder, operations } = app.clients;
    const stream = await startStream();
    nowMs += 11 * MINUTE_MS;
    await operations.expireStaleRequests({});
    expect(await readTotals(app.database, "USER", stream.userId)).to.include({ requests: 1n });
    const late = { ...stream.input, inputTokens: 1_000n, outputTokens: 100n };
    const { outcome, record } = await recorder.recordUsage({ usage: late });
    expect(outcome).to.equal(RecordOutcome.COMPLETED);
    expect(record).to.deep.include({ status: UsageStatus.COMPLETED, revision: 2n });
    expect(record).to.deep.include({ statusCode: 200, errorMessage: "" });
    expect(record!.finishTime).to.deep.equal(record!.updateTime);
    expect((await recorder.recordUsage({ usage: late })).outcome).to.equal(RecordOutcome.REPLAYED);
    const cost = sonnetCost(1_000n, 100n);
    expect(await standing(app, stream.userId)).to.deep.equal({ spent: cost, held: 0n });
    const totals = await readTotals(app.database, "USER", stream.userId);
    expect(totals).to.deep.include({ requests: 1n, tokens: 1_100n, cost });
    await expectBalancedBooks(app);
  });

  it("charges what was known to be used, and takes it back exactly when the rest is told", async () => {
    const { recorder, operations } = app.clients;
    const stream = await startStream({ inputTokens: 10n });
    const { requestId, userId } = stream;
    await recorder.updateUsageStatus({ requestId, status: STREAMING, outputTokensSoFar: 7n });
    nowMs += 11 * MINUTE_MS;
    await operations.expireStaleRequests({});
    const known = 10n * 3_000n + 7n * 15_000n;
    expect(await standing(app, userId)).to.deep.equal({ spent: known, held: 0n });
    await recorder.recordUsage({ usage: { ...stream.input, outputTokens: 9n } });
    expect((await standing(app, userId)).spent).to.equal(sonnetCost(10n, 9n));
  });

  it("heeds an endpoint's own timeout, be it longer or shorter", async () => {
    const { operations } = app.clients;
    await operations.expireStaleRequests({ timeout: { seconds: 1n } });
    const [patient, usual, hasty] = await Promise.all(
      ["patient", "", "hasty"].map((providerEndpointId) => startStream({ providerEndpointId })),
    );
    const counts: bigint[] = [];
    for (const passedMs of [30_000, 1_000, 570_000, 3_000_000]) {
      nowMs += passedMs;
      counts.push((await operations.countStaleRequests({})).staleCount);
    }
    expect(counts).to.deep.equal([0n, 1n, 2n, 3n]);
    nowMs -= 2_000;
    expect((await operations.expireStaleRequests({})).expiredCount).to.equal(2n);
    expect(await statusOf(patient!.requestId)).to.equal(STREAMING);
    for (const { requestId } of [usual!, hasty!])
      expect(await statusOf(requestId)).to.equal(FAILED);
    expect((await operations.countStaleRequests({ timeout: { seconds: 1n } })).staleCount).to.equal(
      0n,
    );
  });

  it("fails each once when two replicas are at it", async () => {
    nowMs += 120 * MINUTE_MS;
    await app.clients.operations.expireStaleRequests({});
    const inputs = Array.from({ length: 300 }, () => usage());
    await Promise.all(inputs.map((input) => app.clients.recorder.startUsage({ usage: input })));
    nowMs += 2 * MINUTE_MS;
    const timeout = { seconds: 60n };
    const answers = await Promise.all(
      [app, other, app, other].map((one) =>
        one.clients.operations.expireStaleRequests({ timeout }),
      ),
    );
    const expired = answers.map(({ expiredCount }) => expiredCount);
    expect(expired.reduce((sum, count) => sum + count)).to.equal(300n);
    const { rows } = await app.database.knex.raw(
      "select distinct status, revision, version from usage_records where request_id = any(?)",
      [inputs.map(({ requestId }) => requestId)],
    );
    expect(rows).to.deep.equal([{ status: "FAILED", revision: 1n, version: 2n }]);
  });

  for (const [what, finish] of [
    ["a record", (input: UsageInit) => app.clients.recorder.recordUsage({ usage: input })],
    [
      "an update",
      ({ requestId }: UsageInit) =>
        app.clients.recorder.updateUsageStatus({ requestId: requestId!, status: 3 }),
    ],
  ] as const) {
    it(`settles the reservation that a request was started with, when ${what} finishes it`, async () => {
      const stream = await startStream();
      await finish({ ...stream.input, outputTokens: 1n });
      const { spent, held } = await standing(app, stream.userId);
      expect(held).to.equal(0n);
      expect(spent > 0n).to.equal(true);
    });
  }

  it("settles the reservation of a request that another replica finishes", async () => {
    const stream = await startStream();
    await untilKnown(other, stream.userId);
    await other.clients.recorder.recordUsage({ usage: stream.input });
    const { held } = await standing(app, stream.userId);
    expect(held).to.equal(0n);
    const { reservationId } = await reserve(app, stream.userId, 900_000_000n);
    expect(reservationId).to.not.equal("");
  });

  for (const isBeat of [true, false]) {
    const when = isBeat ? "with a heartbeat" : "at the end";
    it(`settles a reservation that was extended, when that is told ${when}`, async () => {
      const reservationTtl = { seconds: 1n };
      const stream = await startStream({}, { reservationTtl });
      const { requestId, userId } = stream;
      await untilKnown(other, userId);
      const { reservationId } = await app.clients.checker.extendReservation({
        reservationId: stream.reservationId,
        reservationTtl: { seconds: 600n },
      });
      if (isBeat) {
        const beat = { requestId, status: STREAMING, reservationId };
        await app.clients.recorder.updateUsageStatus(beat);
      }
      // What it was before is over: only as it is now can it be settled elsewhere.
      const { rows } = await app.database.knex.raw("select clock_timestamp() as now");
      await eventually("the first time is over", async () => {
        const later = await app.database.knex.raw("select clock_timestamp() as now");
        return later.rows[0].now.getTime() > rows[0].now.getTime() + 1_000;
      });
      const named = isBeat ? {} : { reservationId };
      const finished = { usage: stream.input, ...named };
      const { record } = await other.clients.recorder.recordUsage(finished);
      const ends = app.database.knex("reservation_outcomes");
      expect(await ends.where({ reservation_id: record!.reservationUid })).to.have.length(1);
      await eventually("it is settled", async () => (await standing(app, userId)).held === 0n);
    });
  }

  it("ends both reservations when a request is finished with another one than it began with", async () => {
    const stream = await startStream();
    const { reservationId } = await reserve(app, stream.userId, 50_000_000n);
    await app.clients.recorder.recordUsage({ usage: stream.input, reservationId });
    expect((await standing(app, stream.userId)).held).to.equal(0n);
  });

  it("sweeps again and again, in one replica at a time", async () => {
    const store = createActiveStore(app.database);
    let sweeps = 0;
    let rival = 0;
    const logger = silentLogger;
    const second = createSweeper({
      store,
      logger,
      expirer: { expire: async () => (rival += 1) },
    });
    const first = createSweeper({
      store,
      logger,
      intervalMs: 1,
      expirer: {
        async expire() {
          await second.sweep();
          sweeps += 1;
          if (sweeps === 1) throw new Error("the database is away");
          return 0;
        },
      },
    });
    first.start();
    await eventually("it sweeps", () => sweeps >= 3);
    await first.stop();
    expect(rival).to.equal(0);
    await second.sweep();
    expect(rival).to.equal(1);
  });
});

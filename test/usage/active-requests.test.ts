import { expect } from "chai";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import type { ActiveRequestStatus } from "../../gen/tally/v1/usage_recorder_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { uniqueId } from "../support/unique-id.js";
import { USAGE_CATALOG, type UsageInit, usage } from "./usage-fixture.js";

const { PENDING, STREAMING, COMPLETED, FAILED } = UsageStatus;

describe("requests under way", () => {
  let app: TestApp;
  let nowMs = Date.now();

  before(async () => {
    app = await startTestApp({ nowMs: () => nowMs });
    await app.apply(USAGE_CATALOG);
    await app.apply({
      providerKeys: [{ providerKeyId: "named", provider: "acme", name: "Key of acme" }],
      providerEndpoints: [
        { providerEndpointId: "patient", provider: "acme", requestTimeout: { seconds: 900n } },
      ],
    });
  });
  after(() => app.stop());

  /** Begins requests of one user, a second after each other. */
  async function begin(count: number, fields: UsageInit = {}) {
    const userId = uniqueId("user");
    const ids: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const input = usage({ ...fields, userId });
      nowMs += 1_000;
      await app.clients.recorder.startUsage({ usage: input });
      ids.push(input.requestId);
    }
    return { userId, ids };
  }

  const seen = (statuses: readonly ActiveRequestStatus[]) =>
    statuses.map(({ requestId, status }) => [requestId, status]);

  it("lists those that are unfinished, newest first, up to the page's size", async () => {
    const { recorder } = app.clients;
    const { userId, ids } = await begin(4);
    await recorder.updateUsageStatus({ requestId: ids[1]!, status: STREAMING });
    await recorder.updateUsageStatus({ requestId: ids[2]!, status: COMPLETED });
    const { records } = await recorder.listActiveRequests({ userId });
    expect(records.map(({ requestId }) => requestId)).to.deep.equal([ids[3], ids[1], ids[0]]);
    const { record } = await recorder.getUsage({ requestId: ids[1]! });
    expect(records[1]).to.deep.equal(record);
    const others = await begin(2);
    const everybody = await recorder.listActiveRequests({ pageSize: 3 });
    expect(everybody.records.map(({ requestId }) => requestId)).to.deep.equal([
      others.ids[1],
      others.ids[0],
      ids[3],
    ]);
  });

  it("tells the status of those that are asked for, finished or not, and of nobody else's", async () => {
    const { recorder } = app.clients;
    const { userId, ids } = await begin(3);
    const stranger = await begin(1);
    await recorder.updateUsageStatus({ requestId: ids[0]!, status: COMPLETED });
    const requestIds = [...ids, ...stranger.ids, "unknown"];
    const asked = await recorder.getActiveRequestStatuses({ requestIds, userId });
    expect(seen(asked.statuses)).to.deep.equal([
      [ids[2], PENDING],
      [ids[1], PENDING],
      [ids[0], COMPLETED],
    ]);
    const active = await recorder.getActiveRequestStatuses({ userId, pageSize: 1 });
    expect(seen(active.statuses)).to.deep.equal([[ids[2], PENDING]]);
    const all = await recorder.getActiveRequestStatuses({ requestIds });
    expect(seen(all.statuses)[0]).to.deep.equal([stranger.ids[0], PENDING]);
  });

  it("tells who serves a request only when that is asked for", async () => {
    const { recorder } = app.clients;
    const { userId } = await begin(1, { providerApiKeyId: "named" });
    const { statuses } = await recorder.getActiveRequestStatuses({ userId });
    expect(statuses[0]!.provider).to.equal(undefined);
    const asked = { userId, includeProviderDetails: true };
    const detailed = await recorder.getActiveRequestStatuses(asked);
    expect(detailed.statuses[0]!.provider).to.deep.include({
      provider: "acme",
      providerApiKeyId: "named",
      providerApiKeyName: "Key of acme",
    });
  });

  it("fails what is overdue on the way: after 300 s, the time asked for, or the endpoint's", async () => {
    const { recorder } = app.clients;
    const { userId, ids } = await begin(2);
    const patient = await begin(1, { providerEndpointId: "patient" });
    nowMs += 299_000;
    const early = await recorder.getActiveRequestStatuses({ userId });
    expect(seen(early.statuses)).to.deep.equal([
      [ids[1], PENDING],
      [ids[0], FAILED],
    ]);
    expect(early.statuses[1]).to.deep.include({ statusCode: 504 });
    expect(early.statuses[1]!.errorMessage).to.contain("PENDING without activity");
    const defaultTimeout = { seconds: 60n };
    const late = await recorder.getActiveRequestStatuses({ userId, defaultTimeout });
    expect(seen(late.statuses)).to.deep.equal([[ids[1], FAILED]]);
    const asked = { userId: patient.userId, defaultTimeout };
    const { statuses } = await recorder.getActiveRequestStatuses(asked);
    expect(seen(statuses)).to.deep.equal([[patient.ids[0], PENDING]]);
  });
});

import { expect } from "chai";
import { type UsageRecord, UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { ConflictPolicy, RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { sonnetCost, USAGE_CATALOG, type UsageInit, usage } from "./usage-fixture.js";

/**
 * Every operation, with what it does to a request that is found so. "swept": failed because
 * nothing was heard of it. A status: where the request is then; "+" it was created, "~" revised,
 * "=" it is as it was. Else the reason of a refusal, after which it is as it was, too.
 */
const TABLE = `
found                missing    PENDING    STREAMING  COMPLETED  FAILED     swept
start again          +PENDING   =PENDING   =STREAMING conflict   conflict   conflict
start otherwise      +PENDING   content    content    conflict   conflict   conflict
update PENDING       none       PENDING    conflict   conflict   conflict   conflict
update STREAMING     none       STREAMING  STREAMING  conflict   conflict   conflict
update COMPLETED     none       COMPLETED  COMPLETED  =COMPLETED conflict   conflict
update FAILED        none       FAILED     FAILED     conflict   =FAILED    =FAILED
record PENDING       +PENDING   PENDING    conflict   conflict   conflict   conflict
record STREAMING     +STREAMING STREAMING  STREAMING  conflict   conflict   conflict
record COMPLETED     +COMPLETED COMPLETED  COMPLETED  ~COMPLETED ~COMPLETED COMPLETED
record FAILED        +FAILED    FAILED     FAILED     ~FAILED    ~FAILED    FAILED
insert COMPLETED     +COMPLETED COMPLETED  COMPLETED  content    content    COMPLETED
`;

const REASONS: Readonly<Record<string, string>> = {
  conflict: "USAGE_STATUS_CONFLICT",
  content: "USAGE_RECORD_CONFLICT",
  none: "USAGE_RECORD_NOT_FOUND",
};

const OUTCOMES: Readonly<Record<string, RecordOutcome>> = {
  "+": RecordOutcome.CREATED,
  "~": RecordOutcome.REVISED,
  "": RecordOutcome.COMPLETED,
};

type StatusName = Exclude<keyof typeof UsageStatus, "UNSPECIFIED">;
type Started = UsageInit & { readonly requestId: string };

const [header, ...rows] = TABLE.trim()
  .split("\n")
  .map((line) => [line.slice(0, 20).trim(), ...line.slice(20).trim().split(/\s+/)]);

describe("the life of a request", () => {
  let app: TestApp;
  let nowMs = Date.now();

  before(async () => {
    app = await startTestApp({ nowMs: () => nowMs });
    await app.apply(USAGE_CATALOG);
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  const started = (): Started => usage({ provider: "", inputTokens: 10n, outputTokens: 0n });

  async function bringTo(from: string, input: Started): Promise<UsageRecord | undefined> {
    const { recorder, operations } = app.clients;
    const { requestId } = input;
    if (from === "missing") return undefined;
    await recorder.startUsage({ usage: input });
    if (from === "swept") {
      nowMs += 601_000;
      await operations.expireStaleRequests({});
    } else if (from !== "PENDING") {
      await recorder.updateUsageStatus({ requestId, status: UsageStatus[from as StatusName] });
    }
    return read(requestId);
  }

  async function perform(
    operation: string,
    input: Started,
  ): Promise<{ record?: UsageRecord | undefined; outcome?: RecordOutcome }> {
    const { recorder } = app.clients;
    const [verb, object] = operation.split(" ");
    const status = UsageStatus[object as StatusName];
    const { requestId } = input;
    switch (verb) {
      case "start": {
        const inputTokens = object === "again" ? input.inputTokens! : 11n;
        return recorder.startUsage({ usage: { ...input, inputTokens } });
      }
      case "update":
        return recorder.updateUsageStatus({ requestId, status });
      default:
        return recorder.recordUsage({
          usage: { ...input, provider: "acme", outputTokens: 5n, status },
          conflictPolicy: verb === "insert" ? ConflictPolicy.REJECT : ConflictPolicy.REVISE,
        });
    }
  }

  async function read(requestId: string): Promise<UsageRecord> {
    return (await app.clients.recorder.getUsage({ requestId })).record!;
  }

  for (const [operation, ...cells] of rows) {
    for (const [index, cell] of cells.entries()) {
      const from = header![index + 1]!;
      it(`${operation} of one that is ${from}: ${cell}`, async () => {
        const input = started();
        const existing = await bringTo(from, input);
        nowMs += 1_000;
        const done = perform(operation!, input);
        const reason = REASONS[cell];
        if (reason !== undefined) {
          expect((await rpcFailure(done)).reason).to.equal(reason);
          if (existing) expect(await read(input.requestId)).to.deep.equal(existing);
          return;
        }
        const { record, outcome } = await done;
        const [, sign = "", status] = /^([+~=]?)(\w+)$/.exec(cell) ?? [];
        expect(UsageStatus[record!.status]).to.equal(status);
        expect(await read(input.requestId)).to.deep.equal(record);
        if (outcome !== undefined) expect(outcome).to.equal(OUTCOMES[sign]);
        if (sign === "=") expect(record).to.deep.equal(existing);
        else expect(Number(record!.updateTime!.seconds)).to.equal(Math.floor(nowMs / 1_000));
      });
    }
  }

  it("has a cell for every operation and every place", () => {
    expect(rows.map((row) => row.length)).to.deep.equal(rows.map(() => header!.length));
    expect([rows.length, header!.length]).to.deep.equal([11, 7]);
  });

  it("begins without knowing its provider, and learns the rest on the way", async () => {
    const { recorder } = app.clients;
    const input = started();
    const { record: begun } = await recorder.startUsage({ usage: input });
    expect(begun).to.deep.include({ provider: "pending", status: UsageStatus.PENDING });
    expect(begun).to.deep.include({ revision: 0n, unknownSubjects: [1] });
    expect(begun!.lastActivityTime).to.deep.equal(begun!.createTime);

    nowMs += 700;
    const { requestId } = input;
    const { record: streaming } = await recorder.updateUsageStatus({
      requestId,
      status: UsageStatus.STREAMING,
      provider: "acme",
      targetModel: "sonnet-2",
      providerApiKeyId: "cheap",
      firstByteTimeMs: 700n,
      outputTokensSoFar: 40n,
    });
    expect(streaming!.lastActivityTime).to.deep.equal(streaming!.updateTime);
    const { record: late } = await recorder.updateUsageStatus({
      requestId,
      status: UsageStatus.STREAMING,
      outputTokensSoFar: 30n,
    });
    for (const record of [streaming, late]) {
      expect(record).to.deep.include({ provider: "acme", targetModel: "sonnet-2" });
      expect(record).to.deep.include({ firstByteTimeMs: 700n, outputTokens: 40n });
      expect(record).to.deep.include({ totalTokens: 50n, revision: 0n });
      expect(record!.finishTime).to.equal(undefined);
    }

    const { record } = await recorder.updateUsageStatus({
      requestId,
      status: UsageStatus.COMPLETED,
    });
    expect(record!.cost!.totalNanoUsd).to.equal(sonnetCost(10n, 40n));
    expect(record).to.deep.include({ rateMultiplier: "0.85", revision: 1n });
    expect(record!.lastActivityTime).to.equal(undefined);
  });

  it("knows a failure by its status alone", async () => {
    const { recorder } = app.clients;
    const failures = [{}, { statusCode: 429 }, { errorMessage: "overloaded" }];
    const told = failures.map(async (fields) => {
      const { requestId } = started();
      await recorder.startUsage({ usage: usage({ requestId }) });
      const update = { requestId, status: UsageStatus.FAILED, ...fields };
      return (await recorder.updateUsageStatus(update)).record!;
    });
    const records = await Promise.all(told);
    expect(records.map((record) => [record.statusCode, record.errorMessage])).to.deep.equal([
      [500, ""],
      [429, ""],
      [500, "overloaded"],
    ]);
    expect(records.map(({ cost }) => cost!.requestNanoUsd)).to.deep.equal([0n, 0n, 0n]);
  });

  it("refuses to begin anywhere but at the beginning", async () => {
    const wrong = usage({ status: UsageStatus.STREAMING });
    const error = await rpcFailure(app.clients.recorder.startUsage({ usage: wrong }));
    expect(error.message).to.contain("must be unset or PENDING");
  });

  it("counts many heartbeats at once, whatever the order", async () => {
    const { recorder } = app.clients;
    const inputs = Array.from({ length: 20 }, started);
    await Promise.all(inputs.map((input) => recorder.startUsage({ usage: input })));
    const beats = inputs.flatMap(({ requestId }) =>
      [3n, 9n, 6n].map((outputTokensSoFar) =>
        recorder.updateUsageStatus({ requestId, status: UsageStatus.STREAMING, outputTokensSoFar }),
      ),
    );
    await Promise.all(beats);
    for (const { requestId } of inputs) {
      expect((await read(requestId)).outputTokens).to.equal(9n);
    }
  });
});

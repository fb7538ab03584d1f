import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { holdUsageKeys } from "./held-table.js";
import { type UsageInit, usage } from "./usage-fixture.js";

describe("RecordUsage when the database is slow or away", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp({
      env: {
        TALLY_RECORDER_LANES: "1",
        TALLY_RECORDER_BATCH_SIZE: "1",
        TALLY_RECORDER_QUEUE_LIMIT: "3",
      },
    });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  function record(input: UsageInit, timeoutMs = 10_000) {
    return app.clients.recorder.recordUsage({ usage: input }, { timeoutMs });
  }

  /** As a gateway would: connections may die between being taken from the pool and being used. */
  function recordWithRetry(input: UsageInit) {
    return eventually("a record is taken", () =>
      record(input).catch((error) => {
        expect(error).to.include({ reason: "DATABASE_UNAVAILABLE" });
        return undefined;
      }),
    );
  }

  it("answers RESOURCE_EXHAUSTED and when to try again, while the queue is full", async () => {
    const held = await holdUsageKeys(app.database);
    const calls = Array.from({ length: 5 }, () => record(usage()));
    const refused = calls.map((call) => call.then(() => undefined).catch((error) => error));
    const errors = await Promise.all([refused[3], refused[4]]);
    for (const error of errors) {
      expect([error.codeName, error.reason]).to.deep.equal(["RESOURCE_EXHAUSTED", "OVERLOADED"]);
      expect(error.details.retryInfo.retryDelay.nanos).to.be.greaterThan(0);
    }
    await held.letGo();
    const answers = await Promise.all(calls.slice(0, 3));
    expect(answers.map(({ outcome }) => outcome)).to.deep.equal(
      Array(3).fill(RecordOutcome.CREATED),
    );
  });

  it("records nothing for a caller whose deadline passed meanwhile", async () => {
    const held = await holdUsageKeys(app.database);
    const [first, late, last] = [usage(), usage(), usage()];
    const firstCall = record(first);
    await held.waiters(1);
    const error = await rpcFailure(record(late, 50));
    expect(error.codeName).to.equal("DEADLINE_EXCEEDED");
    const lastCall = record(last);
    await held.letGo();
    await Promise.all([firstCall, lastCall]);
    const missing = await rpcFailure(app.clients.recorder.getUsage({ requestId: late.requestId }));
    expect(missing.reason).to.equal("USAGE_RECORD_NOT_FOUND");
  });

  it("answers UNAVAILABLE when the database goes away, and works again with it", async () => {
    const held = await holdUsageKeys(app.database);
    const input = usage();
    const call = rpcFailure(record(input));
    const [pid] = await held.waiters(1);
    await app.database.knex.raw("select pg_terminate_backend(?)", [pid!]);
    const error = await call;
    expect([error.codeName, error.reason]).to.deep.equal(["UNAVAILABLE", "DATABASE_UNAVAILABLE"]);
    expect(error.details.retryInfo?.retryDelay?.seconds).to.equal(1n);
    expect(error.message).to.not.include("terminat");
    await held.letGo();
    expect((await recordWithRetry(input)).outcome).to.equal(RecordOutcome.CREATED);
  });

  it("answers items of a batch UNAVAILABLE, which may be sent again", async () => {
    const held = await holdUsageKeys(app.database);
    const requests = [{ usage: usage() }, { usage: usage() }];
    const batch = app.clients.recorder.batchRecordUsage({ requests });
    const [pid] = await held.waiters(1);
    await app.database.knex.raw("select pg_terminate_backend(?)", [pid!]);
    await held.letGo();
    const [first] = (await batch).results;
    const { case: kind, value } = first!.result;
    expect([kind, kind === "error" && Code[value.code]]).to.deep.equal(["error", "UNAVAILABLE"]);
    const again = await app.clients.recorder.batchRecordUsage({ requests });
    expect(again.results.map(({ result }) => result.case)).to.deep.equal(["response", "response"]);
  });

  it("works on when every idle connection was cut", async () => {
    await record(usage());
    await app.database.knex.raw(`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`);
    expect((await recordWithRetry(usage())).outcome).to.equal(RecordOutcome.CREATED);
  });

  it("answers what it took when it is stopped meanwhile", async () => {
    const replica = await startTestApp({ replicaOf: app });
    const held = await holdUsageKeys(app.database);
    const input = usage();
    const call = replica.clients.recorder.recordUsage({ usage: input });
    await held.waiters(1);
    const stopped = replica.stop();
    await held.letGo();
    await stopped;
    expect((await call).outcome).to.equal(RecordOutcome.CREATED);
  });
});

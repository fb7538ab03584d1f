import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import type { GrpcClient } from "../../src/client/grpc-client.js";
import { failureOf } from "../server/test-server.js";
import { KNOWN_RECORD } from "./known-record.js";
import { insertTestBudgets, recordAll, sampleRecords } from "./ledger-fixture.js";
import { type OperationsServer, SERVER_INFO, startOperationsServer } from "./operations-server.js";

describe("Operations", () => {
  let operations: OperationsServer;
  let client: GrpcClient<typeof Operations>;

  before(async () => {
    operations = await startOperationsServer();
    client = operations.server.client(Operations);
    await insertTestBudgets(operations.database);
    await recordAll(operations.database, [KNOWN_RECORD]);
  });
  after(() => operations.stop());

  it("GetServerInfo tells what the server is", async () => {
    const { startTime, ...info } = await client.getServerInfo({});
    expect(startTime && timestampMs(startTime)).to.equal(SERVER_INFO.startTimeMs);
    expect(info).to.deep.include({
      version: "1.2.3",
      replicaId: "replica-1",
      embeddedDatabase: true,
    });
    expect(info.databaseVersion).to.match(/^1[5-9]\.\d+/);
  });

  it("VerifyLedger counts what it compared", async () => {
    const { snapshotTime, ...verified } = await client.verifyLedger({});
    expect(Math.abs((snapshotTime ? timestampMs(snapshotTime) : 0) - Date.now())).to.be.below(
      60_000,
    );
    expect(verified).to.deep.include({
      records: 1n,
      budgetPeriods: 5n,
      rollups: 9n,
      subjectTotals: 4n,
      driftCount: 0n,
      drifts: [],
      totalCostNanoUsd: "31",
    });
  });

  it("VerifyLedger tells each drift", async () => {
    const { knex } = operations.database;
    await knex("budget_periods").where({ budget_id: "calls" }).update({ spent: 3n });
    const { driftCount, drifts } = await client.verifyLedger({});
    expect(driftCount).to.equal(1n);
    expect(drifts).to.have.lengthOf(1);
    expect(drifts[0]).to.deep.include({
      check: "budget_spent",
      subject: "calls from 2026-01-14 18:15:00+00",
      figure: "spent",
      stored: "3",
      recomputed: "1",
    });
    await knex("budget_periods").where({ budget_id: "calls" }).update({ spent: 1n });
  });

  it("VerifyLedger lists 100 drifts unless it is asked for another number", async () => {
    await recordAll(operations.database, sampleRecords(30, 9));
    await operations.database.knex("usage_rollups").update({ requests: 50n, attempts: 40n });
    const [usual, few] = [
      await client.verifyLedger({}),
      await client.verifyLedger({ maxDrifts: 2 }),
    ];
    expect(usual.driftCount > 100n).to.equal(true);
    expect(usual.drifts).to.have.lengthOf(100);
    expect(few.driftCount).to.equal(usual.driftCount);
    expect(few.drifts).to.deep.equal(usual.drifts.slice(0, 2));
  });

  for (const maxDrifts of [-1, 10_001]) {
    it(`VerifyLedger refuses to list ${maxDrifts} drifts`, async () => {
      const { code, message } = await failureOf(client.verifyLedger({ maxDrifts }));
      expect(code).to.equal(Code.INVALID_ARGUMENT);
      expect(message).to.include("max_drifts");
    });
  }
});

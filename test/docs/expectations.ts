import { expect } from "chai";

type Message = Record<string, unknown>;

/** What answers must say, by the subject of the command; of others any answer will do. */
export const expectations: Record<string, (messages: readonly Message[]) => void> = {
  "grpc.health.v1.Health/Check": ([answer]) => expect(answer).to.deep.equal({ status: "SERVING" }),
  "tally.v1.Operations/GetServerInfo": ([answer]) => expect(answer).to.include.keys("version"),
  "tally.v1.Catalog/TopUpApiKey": ([answer]) =>
    expect(JSON.stringify(answer)).to.contain("50000000000"),
  "tally.v1.Catalog/ImportPrices": ([answer]) =>
    expect(answer).to.include.keys("collectionVersion"),
  "tally.v1.Catalog/ApplyCatalog": ([answer]) => {
    expect(answer?.dryRun).to.equal(true);
    expect(answer?.changes).to.have.length(1);
  },
  "tally.v1.QuotaChecker/CheckQuota": ([answer]) => {
    expect(answer?.allowed).to.equal(true);
    expect(answer?.reason).to.equal("QUOTA_REASON_OK");
    expect(answer?.estimatedCostNanoUsd).to.equal("56000000");
  },
  "tally.v1.UsageRecorder/RecordUsage": ([answer]) =>
    expect(answer?.outcome).to.equal("RECORD_OUTCOME_CREATED"),
  "tally.v1.QuotaChecker/ListBudgetAlerts": ([answer]) =>
    expect(answer?.alerts).to.not.have.length(0),
  "tally.v1.Analytics/GetTopUsers": ([answer]) =>
    expect(JSON.stringify(answer?.users)).to.contain('"carol"'),
  "tally.v1.UsageRecorder/ListActiveRequests": ([answer]) =>
    expect(JSON.stringify(answer)).to.contain("by-hand-2"),
  "tally.v1.Operations/Reprice": (answers) => {
    expect(answers.at(-1)?.done).to.equal(true);
    expect(answers.at(-1)?.dryRun).to.equal(true);
  },
  "tally.v1.Operations/VerifyLedger": ([answer]) => {
    expect(answer).to.include.keys("records");
    expect(answer).to.not.include.keys("driftCount", "drifts");
  },
  "tally.v1.Operations/RebuildRollups": (answers) => expect(answers.at(-1)?.done).to.equal(true),
  "tally.v1.Analytics/GetDailyActivity": ([answer]) => expect(answer?.days).to.have.length(30),
  "tally.v1.Operations/PurgeUsage": (answers) => expect(answers.at(-1)?.done).to.equal(true),
  "tally.v1.Identity/CreateToken": ([answer]) => expect(answer).to.include.keys("secret"),
  "tally.v1.Identity/RotateToken": ([answer]) => expect(answer).to.include.keys("secret"),
  "tally.v1.Identity/RevokeToken": ([answer]) =>
    expect(answer?.token).to.include.keys("revokeTime"),
  "tally.v1.Catalog/ListAuditLog": ([answer]) => expect(answer?.entries).to.not.have.length(0),
};

import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { UsageView } from "../../gen/tally/v1/usage_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { ROLES, type Role } from "../../src/caller.js";
import { contractMethods } from "../support/contract.js";
import { eventually } from "../support/eventually.js";
import {
  type AnyMethodCaller,
  type CallOutcome,
  createAnyMethodCaller,
} from "../support/raw-method-call.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { type SecuredApp, startSecuredApp } from "./secured-app.js";

/** What a method does with a caller that is bound to one user. */
type BoundRule = "refuses" | "narrows" | "compares";

/**
 * Who may call what, written down a second time: whoever adds a method, or opens one to another
 * role, says so here too. Admins may call everything.
 */
const EXPECTED: Readonly<Record<string, readonly [roles: string, bound: BoundRule]>> = {
  "UsageRecorder.RecordUsage": ["gateway", "refuses"],
  "UsageRecorder.BatchRecordUsage": ["gateway", "refuses"],
  "UsageRecorder.StreamRecordUsage": ["gateway", "refuses"],
  "UsageRecorder.StartUsage": ["gateway", "refuses"],
  "UsageRecorder.UpdateUsageStatus": ["gateway", "refuses"],
  "UsageRecorder.ListUsage": ["gateway analyst operator", "narrows"],
  "UsageRecorder.ListActiveRequests": ["gateway analyst operator", "narrows"],
  "UsageRecorder.GetActiveRequestStatuses": ["gateway analyst operator", "narrows"],
  "UsageRecorder.WatchActiveRequests": ["gateway analyst operator", "narrows"],
  "UsageRecorder.GetUsage": ["gateway analyst operator", "compares"],
  "QuotaChecker.CheckQuota": ["gateway", "refuses"],
  "QuotaChecker.BatchCheckQuota": ["gateway", "refuses"],
  "QuotaChecker.ExtendReservation": ["gateway", "refuses"],
  "QuotaChecker.ListBudgetAlerts": ["analyst operator", "refuses"],
  "QuotaChecker.WatchBudgetAlerts": ["analyst operator", "refuses"],
  "QuotaChecker.ReleaseReservation": ["gateway", "refuses"],
  "QuotaChecker.GetQuota": ["gateway analyst operator", "narrows"],
  "Catalog.ApplyCatalog": ["operator", "refuses"],
  "Catalog.ImportPrices": ["operator", "refuses"],
  ...Object.fromEntries(
    "User ApiKey Provider ProviderEndpoint ProviderKey Model ModelPrice Budget"
      .split(" ")
      .flatMap((kind) => [
        `Create${kind}`,
        `Get${kind}`,
        `List${kind}s`,
        `Update${kind}`,
        `Delete${kind}`,
      ])
      .map((name) => [`Catalog.${name}`, ["operator", "refuses"]] as const),
  ),
  "Catalog.TopUpApiKey": ["operator", "refuses"],
  "Catalog.ResetBudget": ["operator", "refuses"],
  "Catalog.GetSettings": ["operator", "refuses"],
  "Catalog.UpdateSettings": ["operator", "refuses"],
  "Catalog.ListAuditLog": ["operator", "refuses"],
  "Analytics.GetUsageSummary": ["analyst operator", "narrows"],
  "Analytics.GetBreakdown": ["analyst operator", "narrows"],
  "Analytics.GetTopUsers": ["analyst operator", "narrows"],
  "Analytics.GetDailyActivity": ["analyst operator", "narrows"],
  "Analytics.AnalyzeCacheAffinityTtl": ["analyst operator", "narrows"],
  "Analytics.GetCacheHitAnalysis": ["analyst operator", "narrows"],
  "Analytics.GetIntervalTimeline": ["analyst operator", "narrows"],
  "Analytics.InvalidateActivityCache": ["operator", "refuses"],
  "Operations.VerifyLedger": ["operator", "refuses"],
  "Operations.PurgeUsage": ["operator", "refuses"],
  "Operations.RebuildRollups": ["operator", "refuses"],
  "Operations.Reprice": ["operator", "refuses"],
  "Operations.CountStaleRequests": ["operator", "refuses"],
  "Operations.ExpireStaleRequests": ["operator", "refuses"],
  "Operations.GetServerInfo": ["gateway analyst operator", "refuses"],
  "Identity.CreateToken": ["", "refuses"],
  "Identity.ListTokens": ["", "refuses"],
  "Identity.RotateToken": ["", "refuses"],
  "Identity.RevokeToken": ["", "refuses"],
  "Identity.MapCertificate": ["", "refuses"],
  "Identity.ListCertificateMappings": ["", "refuses"],
  "Identity.UnmapCertificate": ["", "refuses"],
};

function nameOf({ parent, name }: DescMethod): string {
  return `${parent.name}.${name}`;
}

for (const [port, transport] of [
  ["address", "gRPC"],
  ["httpAddress", "HTTP"],
] as const) {
  describe(`every method on the ${transport} port`, () => {
    let secured: SecuredApp;
    let caller: AnyMethodCaller;
    /** Those that this server answers; what the contract only names is UNIMPLEMENTED. */
    let served: DescMethod[];
    let tokens: Readonly<Record<Role | "bound" | "expired" | "revoked", string>>;

    before(async () => {
      secured = await startSecuredApp();
      caller = createAnyMethodCaller(secured.app[port]);
      const secrets = new Map<string, string>();
      for (const role of ROLES) secrets.set(role, (await secured.issue(role)).secret);
      secrets.set("bound", (await secured.issue("analyst", { boundUserId: "alice" })).secret);
      const expireTimeMs = Date.now() - 1_000;
      secrets.set("expired", (await secured.issue("admin", { expireTimeMs })).secret);
      const doomed = await secured.issue("admin");
      secrets.set("revoked", doomed.secret);
      await secured.app.database
        .knex("access_tokens")
        .where({ token_id: doomed.token.tokenId })
        .update({ revoke_time: new Date() });
      tokens = Object.fromEntries(secrets) as typeof tokens;
      served = [];
      await eventually("the server knows the tokens", async () => {
        const outcome = await ask(UsageRecorder.method.getUsage, doomed.secret);
        return outcome.reason === "CREDENTIALS_INVALID";
      });
      for (const method of await contractMethods()) {
        const { code } = await ask(method, tokens.admin);
        if (code !== Code.UNIMPLEMENTED) served.push(method);
      }
    });
    after(async () => {
      caller.close();
      await secured.stop();
    });

    function ask(method: DescMethod, token?: string, request?: Message): Promise<CallOutcome> {
      const authorization = token === undefined ? undefined : `Bearer ${token}`;
      return caller.call(method, request ?? create(method.input), authorization);
    }

    function isRefused({ code }: CallOutcome): boolean {
      return code === Code.UNAUTHENTICATED || code === Code.PERMISSION_DENIED;
    }

    it("stands in the table above, and no other", async () => {
      const names = (await contractMethods()).map(nameOf);
      const expected = Object.keys(EXPECTED);
      expect(names.filter((name) => !expected.includes(name))).to.deep.equal([]);
      expect(expected.filter((name) => !names.includes(name))).to.deep.equal([]);
    });

    it("is closed to callers without a valid token", async () => {
      const strangers: [string | undefined, string][] = [
        [undefined, "CREDENTIALS_MISSING"],
        [`tally_${"x".repeat(43)}`, "CREDENTIALS_INVALID"],
        [tokens.expired, "CREDENTIALS_EXPIRED"],
        [tokens.revoked, "CREDENTIALS_INVALID"],
      ];
      expect(served.length).to.be.greaterThan(10);
      for (const method of served) {
        for (const [token, reason] of strangers) {
          const outcome = await ask(method, token);
          expect(outcome, nameOf(method)).to.include({ code: Code.UNAUTHENTICATED, reason });
        }
      }
    });

    it("is open to the roles that the table names and to admins, and closed to others", async () => {
      for (const method of served) {
        const roles = EXPECTED[nameOf(method)]![0].split(" ");
        for (const role of ROLES) {
          const outcome = await ask(method, tokens[role]);
          const what = `${nameOf(method)} by ${role}`;
          if (role === "admin" || roles.includes(role))
            expect(isRefused(outcome), what).to.equal(false);
          else {
            const refusal = { code: Code.PERMISSION_DENIED, reason: "PERMISSION_DENIED" };
            expect(outcome, what).to.include(refusal);
          }
        }
      }
    });

    it("keeps a caller that is bound to one user to that user", async () => {
      for (const method of served) {
        const [roles, rule] = EXPECTED[nameOf(method)]!;
        const outcome = await ask(method, tokens.bound);
        const isClosed = rule === "refuses" || !roles.includes("analyst");
        expect(isRefused(outcome), nameOf(method)).to.equal(isClosed);
        if (rule !== "narrows") continue;
        const asking = (userId: string) => {
          const request = reflect(method.input);
          request.set(method.input.field.userId!, userId);
          return ask(method, tokens.bound, request.message);
        };
        expect(isRefused(await asking("alice")), nameOf(method)).to.equal(false);
        const [known, unknown] = [await asking("bob"), await asking("nobody")];
        expect(known.code, nameOf(method)).to.equal(Code.PERMISSION_DENIED);
        expect(unknown).to.deep.equal(known);
      }
    });
  });
}

describe("records of other users", () => {
  let secured: SecuredApp;

  before(async () => {
    secured = await startSecuredApp();
  });
  after(() => secured.stop());

  it("do not exist for a caller that is bound to one", async () => {
    const { secret: gateway } = await secured.issue("gateway");
    const { secret: bound } = await secured.issue("analyst", { boundUserId: "alice" });
    const recorder = secured.client(UsageRecorder, { token: gateway });
    const analyst = secured.client(UsageRecorder, { token: bound });
    for (const userId of ["alice", "bob"]) {
      await eventually("the server knows the gateway", () =>
        recorder
          .recordUsage({ usage: { requestId: `of-${userId}`, userId, model: "m" } })
          .then(() => true)
          .catch(() => false),
      );
    }
    const own = await analyst.getUsage({ requestId: "of-alice" });
    expect(own.record?.userId).to.equal("alice");
    const others = await rpcFailure(analyst.getUsage({ requestId: "of-bob" }));
    const missing = await rpcFailure(analyst.getUsage({ requestId: "of-xyz" }));
    expect(others.code).to.equal(Code.NOT_FOUND);
    expect(others.message.replace("of-bob", "of-xyz")).to.equal(missing.message);
    const full = { requestId: "of-alice", view: UsageView.FULL };
    for (const client of [recorder, analyst]) {
      expect((await rpcFailure(client.getUsage(full))).reason).to.equal("PERMISSION_DENIED");
    }
  });
});

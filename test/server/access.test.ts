import { create, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { access, Role as ProtoRole } from "../../gen/tally/v1/access_pb.js";
import { GetQuotaRequestSchema, QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageView } from "../../gen/tally/v1/usage_pb.js";
import { GetUsageRequestSchema, UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { type Identity, ROLES, type Role } from "../../src/caller.js";
import { DomainError } from "../../src/errors.js";
import { accessRuleOf } from "../../src/server/access.js";
import { contractMethods } from "../support/contract.js";

function caller(role: Role, boundUserId?: string): Identity {
  return { id: "test", name: "test", role, boundUserId };
}

/** The text of the refusal; undefined when there is none. */
function refusal(ask: () => void): string | undefined {
  try {
    ask();
  } catch (error) {
    expect(error).to.be.instanceOf(DomainError).and.have.property("reason", "PERMISSION_DENIED");
    return (error as DomainError).message;
  }
  return undefined;
}

describe("the access that methods declare", () => {
  it("is there for every method of the contract, and names roles", async () => {
    const methods = await contractMethods();
    expect(methods.length).to.be.greaterThan(9);
    const silent = methods.filter(
      (method) => !hasOption(method, access) || getOption(method, access).roles.length === 0,
    );
    expect(silent.map(({ parent, name }) => `${parent.name}.${name}`)).to.deep.equal([]);
  });

  it("is such that a server can serve it", async () => {
    for (const method of await contractMethods()) {
      expect(getOption(method, access).roles).not.to.include(ProtoRole.UNSPECIFIED, method.name);
      expect(() => accessRuleOf(method), method.name).not.to.throw();
    }
  });

  it("lets nobody in where there is none, not even an admin", () => {
    const { getUsage } = UsageRecorder.method;
    const silent: DescMethod = { ...getUsage, proto: { ...getUsage.proto } };
    delete (silent.proto as { options?: unknown }).options;
    const rule = accessRuleOf(silent);
    for (const role of ROLES) {
      expect(refusal(() => rule.assertMayCall(caller(role)))).to.equal(
        `the role ${role} may not call GetUsage`,
      );
    }
  });

  it("leaves health to everybody and reflection to every role", () => {
    expect(accessRuleOf(Health.method.check).isPublic).to.equal(true);
    const reflection = accessRuleOf(ServerReflection.method.serverReflectionInfo);
    expect(reflection.isPublic).to.equal(false);
    for (const role of ROLES) reflection.assertMayCall(caller(role, "u"));
  });
});

describe("a caller that is bound to one user", () => {
  const bound = caller("analyst", "alice");

  it("may not call what cannot be narrowed", () => {
    const { recordUsage } = UsageRecorder.method;
    expect(
      refusal(() => accessRuleOf(recordUsage).assertMayCall(caller("gateway", "alice"))),
    ).to.be.a("string");
    expect(refusal(() => accessRuleOf(recordUsage).assertMayCall(caller("gateway")))).to.equal(
      undefined,
    );
  });

  const subjects: [string, Parameters<typeof create<typeof GetQuotaRequestSchema>>[1], boolean][] =
    [
      ["nobody", {}, true],
      ["its user", { subject: { case: "userId", value: "alice" } }, true],
      ["no user in particular", { subject: { case: "userId", value: "" } }, true],
      ["another user", { subject: { case: "userId", value: "bob" } }, false],
      ["an API key", { subject: { case: "apiKeyId", value: "k" } }, false],
      ["a budget", { subject: { case: "budgetId", value: "b" } }, false],
    ];
  for (const [what, fields, isAllowed] of subjects) {
    it(`${isAllowed ? "is answered about its user" : "is refused"} when it names ${what}`, () => {
      const rule = accessRuleOf(QuotaChecker.method.getQuota);
      const request = create(GetQuotaRequestSchema, fields);
      const text = refusal(() => rule.restrict(request, bound));
      if (isAllowed) expect(request.subject).to.deep.equal({ case: "userId", value: "alice" });
      else {
        expect(text).to.equal(
          "GetQuota: this caller may see one user only, and asked for more than that",
        );
      }
    });
  }

  it("is none when the identity has no user", () => {
    const request = create(GetQuotaRequestSchema, { subject: { case: "userId", value: "bob" } });
    accessRuleOf(QuotaChecker.method.getQuota).restrict(request, caller("analyst"));
    expect(request.subject.value).to.equal("bob");
  });
});

describe("a value that only some roles may use", () => {
  it("is refused to others, by the name of its field", () => {
    const rule = accessRuleOf(UsageRecorder.method.getUsage);
    const full = create(GetUsageRequestSchema, { requestId: "r", view: UsageView.FULL });
    const basic = create(GetUsageRequestSchema, { requestId: "r", view: UsageView.BASIC });
    for (const role of ROLES) {
      expect(refusal(() => rule.restrict(basic, caller(role)))).to.equal(undefined);
      expect(refusal(() => rule.restrict(full, caller(role)))).to.equal(
        role === "admin" ? undefined : `view: the role ${role} may not ask for USAGE_VIEW_FULL`,
      );
    }
  });
});

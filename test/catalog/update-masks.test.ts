import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { UserRole } from "../../gen/tally/v1/catalog_pb.js";
import { BudgetScope, BudgetWindowKind } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";

describe("Masks of catalog updates", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
  });
  after(() => app.stop());

  async function someUser() {
    const userId = uniqueId("user");
    const { user } = await app.clients.catalog.createUser({
      user: {
        userId,
        email: "alice@example.com",
        username: "Alice",
        role: UserRole.ADMIN,
        active: false,
        expireTime: timestampFromMs(1_000),
        allowedModels: ["a", "b"],
      },
    });
    return { userId, before: user! };
  }

  it("without paths takes what is given, and leaves the rest", async () => {
    const { userId, before } = await someUser();
    const { user } = await app.clients.catalog.updateUser({
      user: { userId, username: "Bob", allowedModels: ["c"] },
    });
    const { etag, updateTime, ...rest } = user!;
    const { etag: oldEtag, updateTime: oldTime, ...wanted } = before;
    expect(rest).to.deep.equal({ ...wanted, username: "Bob", allowedModels: ["c"] });
    expect([etag, updateTime]).to.not.deep.equal([oldEtag, oldTime]);
  });

  it("takes of false and empty what paths name, and clears what is not given", async () => {
    const { userId } = await someUser();
    const { user } = await app.clients.catalog.updateUser({
      user: { userId, active: true, username: "ignored" },
      updateMask: { paths: ["active", "expire_time", "allowed_models", "role", "email"] },
    });
    expect(user).to.deep.include({
      username: "Alice",
      email: "",
      role: UserRole.USER,
      active: true,
      allowedModels: [],
    });
    expect(user?.expireTime).to.equal(undefined);
  });

  it("replaces everything for *, and gives defaults to what is not given", async () => {
    const { userId, before } = await someUser();
    const { user } = await app.clients.catalog.updateUser({
      user: { userId, email: "new@example.com" },
      updateMask: { paths: ["*"] },
    });
    expect(user).to.deep.include({
      email: "new@example.com",
      username: "",
      role: UserRole.USER,
      active: true,
      createTime: before.createTime,
    });
    expect(user?.expireTime).to.equal(undefined);
  });

  it("goes into messages, but keeps ids and what is output only", async () => {
    const budgetId = uniqueId("budget");
    const { catalog } = app.clients;
    await catalog.createBudget({
      budget: {
        budgetId,
        scope: BudgetScope.GLOBAL,
        limit: 5n,
        window: { kind: BudgetWindowKind.DAY, timeZone: "Europe/Berlin" },
      },
    });
    const { budget } = await catalog.updateBudget({
      budget: {
        budgetId,
        window: { timeZone: "Asia/Kathmandu" },
        createTime: timestampFromMs(0),
      },
      updateMask: { paths: ["window.time_zone", "budget_id", "create_time"] },
    });
    expect(budget?.window).to.deep.include({
      kind: BudgetWindowKind.DAY,
      timeZone: "Asia/Kathmandu",
    });
    expect(budget?.limit).to.equal(5n);
    expect(budget?.createTime?.seconds).to.not.equal(0n);
  });

  it("tells everything that is wrong with what an entry becomes, by the field of the request", async () => {
    const budgetId = uniqueId("budget");
    const { catalog } = app.clients;
    await catalog.createBudget({ budget: { budgetId, scope: BudgetScope.GLOBAL } });
    const error = await rpcFailure(
      catalog.updateBudget({
        budget: {
          budgetId,
          scope: BudgetScope.USER,
          limit: -1n,
          window: { kind: BudgetWindowKind.EVERY_N_DAYS, timeZone: "Mars/Base" },
        },
      }),
    );
    expect(error.code).to.equal(Code.INVALID_ARGUMENT);
    const fields = error.details.badRequest?.fieldViolations.map(({ field }) => field);
    expect(fields).to.deep.equal([
      "budget.limit",
      "budget.subject",
      "budget.scope",
      "budget.window.time_zone",
      "budget.window.days",
      "budget.window.anchor_time",
    ]);
  });

  it("ignores what is wrong with fields that it does not take", async () => {
    const { userId } = await someUser();
    const { user } = await app.clients.catalog.updateUser({
      user: { userId, username: "Carol", email: "x".repeat(400) },
      updateMask: { paths: ["username"] },
    });
    expect(user?.username).to.equal("Carol");
  });

  it("tells of a new entry the contract's faults and unknown references in one answer", async () => {
    const error = await rpcFailure(
      app.clients.catalog.createApiKey({
        apiKey: { userId: "nobody", name: "x".repeat(201), expireTime: { seconds: 10n ** 15n } },
      }),
    );
    const violations = error.details.badRequest?.fieldViolations ?? [];
    expect(violations.map(({ field }) => field)).to.deep.equal([
      "api_key.name",
      "api_key.expire_time",
      "api_key.user_id",
    ]);
    expect(violations[2]?.description).to.contain('"nobody"');
  });

  it("asks for the entry itself", async () => {
    const { catalog } = app.clients;
    for (const call of [() => catalog.createUser({}), () => catalog.updateUser({})]) {
      const error = await rpcFailure(call());
      expect(error.code).to.equal(Code.INVALID_ARGUMENT);
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("user");
    }
  });
});

import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "chai";
import type { AutoProvisionSchema } from "../../gen/tally/v1/catalog_pb.js";
import { QuotaReason } from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetMeasure, BudgetScope, BudgetWindowKind } from "../../gen/tally/v1/usage_pb.js";
import { budgetState, expecting, reserving } from "../quota/quota-fixture.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { usage } from "../usage/usage-fixture.js";

type SettingInit = MessageInitShape<typeof AutoProvisionSchema>;

/** Room for 10 requests of 100 nano-USD a month, and for 1,000 requests altogether. */
const DEFAULTS: SettingInit = {
  users: true,
  apiKeys: true,
  userBudgets: [
    {
      name: "monthly",
      limit: 1_099n,
      window: { kind: BudgetWindowKind.MONTH, timeZone: "Asia/Kathmandu" },
      alertPercents: [80],
    },
    { name: "all", measure: BudgetMeasure.REQUESTS, limit: 1_000n },
  ],
  apiKeyBudgets: [{ name: "key", limit: 399n }],
};

describe("users and keys that nobody knows", () => {
  let app: TestApp;
  let other: TestApp;

  before(async () => {
    app = await startTestApp();
    other = await startTestApp({ replicaOf: app });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await other.stop();
    await app.stop();
  });

  /** Sets the setting, and waits until both replicas heed it. */
  async function provisioning(setting: SettingInit): Promise<void> {
    const enough = { userBudgets: [{ name: "any" }], ...setting };
    await app.apply({ settings: { autoProvision: enough } });
    const probe = { userId: uniqueId("probe"), apiKeyId: "" };
    await eventually("the other replica heeds the setting", async () => {
      const { allowed } = await other.clients.checker.checkQuota({
        ...probe,
        userId: uniqueId("probe"),
      });
      return allowed === (setting.users ?? false);
    });
  }

  async function budgetIdsOn(scope: BudgetScope, subject: string): Promise<string[]> {
    const rows = await app.database
      .knex("budgets")
      .where({ scope: BudgetScope[scope], subject })
      .orderBy("budget_id");
    return rows.map((row: { budget_id: string }) => row.budget_id);
  }

  it("are denied by default", async () => {
    const userId = uniqueId("user");
    const { checker } = app.clients;
    const user = await checker.checkQuota(reserving(userId, 1n));
    expect([user.allowed, user.reason]).to.deep.equal([false, QuotaReason.USER_NOT_FOUND]);
    const key = await checker.checkQuota(reserving(userId, 1n, { apiKeyId: "nobody's" }));
    expect([key.allowed, key.reason]).to.deep.equal([false, QuotaReason.API_KEY_NOT_FOUND]);
    expect(await app.database.knex("users").where({ user_id: userId })).to.deep.equal([]);
  });

  it("are created once by 100 first checks on two replicas, of which as many pass as fit", async () => {
    await provisioning(DEFAULTS);
    const userId = uniqueId("user");
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        [app, other][n % 2]!.clients.checker.checkQuota(reserving(userId, 100n)),
      ),
    );
    expect(answers.filter(({ allowed }) => allowed)).to.have.length(10);
    for (const { allowed, reason } of answers) {
      if (!allowed) expect(reason).to.equal(QuotaReason.QUOTA_EXCEEDED);
    }
    const ids = [`auto:user:cost:monthly:${userId}`, `auto:user:requests:all:${userId}`];
    expect(await budgetIdsOn(BudgetScope.USER, userId)).to.deep.equal(ids);
    const state = await budgetState(app, ids[0]!);
    expect(state).to.deep.include({ held: 1_000n, limit: 1_099n, measure: BudgetMeasure.COST });
    expect(state.window).to.deep.include({
      kind: BudgetWindowKind.MONTH,
      timeZone: "Asia/Kathmandu",
    });
    const audited = await app.database.knex("audit_log").where({ resource_id: userId });
    expect(audited.map(({ actor, action }) => [actor, action])).to.deep.equal([
      ["auto_provision", "CREATED"],
    ]);
  });

  it("are created all, when many come at once", async () => {
    await provisioning(DEFAULTS);
    const users = Array.from({ length: 150 }, () => uniqueId("user"));
    const answers = await Promise.all(
      users.flatMap((userId) =>
        [app, other].map(({ clients }) => clients.checker.checkQuota(reserving(userId, 600n))),
      ),
    );
    // Each may hold 600 of its 1,099 once.
    expect(answers.filter(({ allowed }) => allowed)).to.have.length(150);
  });

  it("are created with their key, of a known user the key alone", async () => {
    await provisioning(DEFAULTS);
    const { checker } = app.clients;
    const [userId, first, second] = [uniqueId("user"), uniqueId("key"), uniqueId("key")];
    for (const apiKeyId of [first, second]) {
      const request = reserving(userId, 100n, { apiKeyId });
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => checker.checkQuota(request)),
      );
      expect(answers.filter(({ allowed }) => allowed)).to.have.length(3);
      expect(await budgetIdsOn(BudgetScope.API_KEY, apiKeyId)).to.deep.equal([
        `auto:api_key:cost:key:${apiKeyId}`,
      ]);
    }
    expect(await budgetIdsOn(BudgetScope.USER, userId)).to.have.length(2);
    const [key] = await app.database.knex("api_keys").where({ api_key_id: first });
    expect(key).to.deep.include({ user_id: userId, kind: "ORDINARY" });
  });

  it("are not created for what would be denied all the same", async () => {
    await provisioning(DEFAULTS);
    const { checker } = app.clients;
    const [inactive, owner, standalone] = [uniqueId("off"), uniqueId("own"), uniqueId("prepaid")];
    await app.apply({
      users: [{ userId: inactive, active: false }, { userId: owner }],
      apiKeys: [{ apiKeyId: standalone, userId: owner }],
    });
    const reasonOf = async (userId: string, apiKeyId: string) =>
      (await checker.checkQuota({ userId, apiKeyId })).reason;
    expect(await reasonOf(inactive, uniqueId("key"))).to.equal(QuotaReason.API_KEY_NOT_FOUND);
    expect(await reasonOf("", uniqueId("key"))).to.equal(QuotaReason.API_KEY_NOT_FOUND);
    expect(await reasonOf(uniqueId("user"), standalone)).to.equal(QuotaReason.API_KEY_INACTIVE);
    await provisioning({ ...DEFAULTS, users: false });
    const userId = uniqueId("user");
    expect(await reasonOf(userId, uniqueId("key"))).to.equal(QuotaReason.API_KEY_NOT_FOUND);
    expect(await reasonOf(owner, uniqueId("key"))).to.equal(QuotaReason.OK);
    await provisioning({ ...DEFAULTS, apiKeys: false });
    expect(await reasonOf(userId, uniqueId("key"))).to.equal(QuotaReason.API_KEY_NOT_FOUND);
    expect(await app.database.knex("users").where({ user_id: userId })).to.deep.equal([]);
  });

  it("are recorded as they are, and not created, when usage names them", async () => {
    await provisioning(DEFAULTS);
    const told = usage();
    await app.clients.recorder.recordUsage({ usage: told });
    expect(await app.database.knex("users").where({ user_id: told.userId })).to.deep.equal([]);
  });

  it("keep what an operator gave them", async () => {
    await provisioning(DEFAULTS);
    const userId = uniqueId("user");
    await app.apply({ users: [{ userId }] });
    for (const { clients } of [app, other]) {
      const answer = await clients.checker.checkQuota(expecting(userId, 10n ** 15n));
      expect(answer.reason).to.equal(QuotaReason.UNLIMITED);
    }
    expect(await budgetIdsOn(BudgetScope.USER, userId)).to.deep.equal([]);
  });

  it("go on with what they had spent when they were deleted in between", async () => {
    await provisioning(DEFAULTS);
    const userId = uniqueId("user");
    const { checker, catalog } = app.clients;
    expect((await checker.checkQuota(reserving(userId, 1_000n))).allowed).to.equal(true);
    await catalog.deleteUser({ userId, force: true });
    expect((await checker.checkQuota(reserving(userId, 100n))).reason).to.equal(
      QuotaReason.QUOTA_EXCEEDED,
    );
  });

  it("are not let in without a budget whose id somebody took", async () => {
    await provisioning(DEFAULTS);
    const userId = uniqueId("user");
    const budgetId = `auto:user:cost:monthly:${userId}`;
    await app.apply({ budgets: [{ budgetId, scope: BudgetScope.MODEL, subject: userId }] });
    const [taken, fine] = await Promise.all(
      [userId, uniqueId("user")].map((id) => app.clients.checker.checkQuota(reserving(id, 1n))),
    );
    expect([taken!.reason, fine!.reason]).to.deep.equal([
      QuotaReason.USER_NOT_FOUND,
      QuotaReason.OK,
    ]);
  });

  it("get budgets with ids that the contract takes, however long their own are", async () => {
    await provisioning(DEFAULTS);
    const userId = `${uniqueId("user")}${"\u{1F600}".repeat(150)}`.padEnd(200, "x").slice(0, 300);
    expect((await app.clients.checker.checkQuota(reserving(userId, 1n))).allowed).to.equal(true);
    for (const budgetId of await budgetIdsOn(BudgetScope.USER, userId)) {
      expect((await budgetState(app, budgetId)).subject).to.equal(userId);
    }
  });

  it("wait for their turn when too many come, and are told so", async () => {
    await provisioning({ ...DEFAULTS, maxPerMinute: 2 });
    const third = await startTestApp({ replicaOf: app });
    const { checker } = third.clients;
    const answers = [];
    for (const n of [1, 2, 3]) answers.push(await checker.checkQuota({ userId: uniqueId(`${n}`) }));
    await third.stop();
    expect(answers.map(({ allowed }) => allowed)).to.deep.equal([true, true, false]);
    const [, , last] = answers;
    expect(last!.reason).to.equal(QuotaReason.USER_NOT_FOUND);
    expect(Number(last!.retryAfter!.seconds)).to.be.within(25, 31);
    expect(last!.message).to.match(/is not known, and too many are being created; try again$/);
  });

  it("are provisioned by no setting that contradicts itself", async () => {
    const [one, zone] = [{ name: "one" }, "Europe/Atlantis"];
    const path = "settings.auto_provision";
    const bad: [SettingInit, string][] = [
      [{ users: true }, `${path}.user_budgets`],
      [{ userBudgets: [one, one] }, `${path}.user_budgets[1].name`],
      [
        { apiKeyBudgets: [{ ...one, window: { timeZone: zone } }] },
        `${path}.api_key_budgets[0].window.time_zone`,
      ],
      [
        { userBudgets: [{ ...one, window: { kind: BudgetWindowKind.EVERY_N_DAYS, days: 3 } }] },
        `${path}.user_budgets[0].window.anchor_time`,
      ],
      [{ userBudgets: [{ name: "No Name" }] }, `${path}.user_budgets[0].name`],
      [{ userBudgets: [{ ...one, limit: -1n }] }, `${path}.user_budgets[0].limit`],
      [{ maxPerMinute: 0 }, `${path}.max_per_minute`],
    ];
    const { catalog } = app.clients;
    for (const [autoProvision, field] of bad) {
      const settings = { autoProvision };
      const updated = await rpcFailure(catalog.updateSettings({ settings }));
      expect(updated.details.badRequest?.fieldViolations.map((v) => v.field)).to.deep.equal([
        field,
      ]);
      const applied = await rpcFailure(catalog.applyCatalog({ document: { settings } }));
      expect(applied.details.badRequest?.fieldViolations.map((v) => v.field)).to.deep.equal([
        `document.${field}`,
      ]);
    }
  });

  it("are provisioned by the setting as it is shown", async () => {
    const setting = { ...DEFAULTS, maxPerMinute: 7 };
    const { catalog } = app.clients;
    const { settings } = await catalog.updateSettings({ settings: { autoProvision: setting } });
    const shown = settings!.autoProvision!;
    expect(shown).to.deep.include({ users: true, apiKeys: true, maxPerMinute: 7 });
    expect(shown.userBudgets[0]).to.deep.include({ name: "monthly", limit: 1_099n });
    // What is shown means the same when it is given back.
    const again = await catalog.applyCatalog({
      document: { settings: { autoProvision: shown } },
      dryRun: true,
    });
    expect(again.changes).to.deep.equal([]);
    const off = { settings: {}, updateMask: { paths: ["auto_provision"] } };
    expect((await catalog.updateSettings(off)).settings!.autoProvision!.users).to.equal(false);
  });
});

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { UnpricedModelPolicy, UserRole } from "../../gen/tally/v1/catalog_pb.js";
import { QuotaReason } from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetMeasure, BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { uniqueId } from "../support/unique-id.js";
import { type CheckInit, expecting, standaloneKey, userWithLimit } from "./quota-fixture.js";

const USD = 1_000_000_000n;
const PAST = timestampFromMs(Date.UTC(2020, 0));

describe("CheckQuota tells by its reason", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    const tier = { inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 2_000_000n };
    await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
  });
  after(() => app.stop());

  async function reasonOf(request: CheckInit): Promise<string> {
    const { allowed, reason, reservationId } = await app.clients.checker.checkQuota({
      ...request,
      reserve: true,
    });
    const isAllowed = [QuotaReason.OK, QuotaReason.UNLIMITED, QuotaReason.ADMIN_EXEMPT];
    expect(allowed).to.equal(isAllowed.includes(reason));
    expect(reservationId !== "").to.equal(reason === QuotaReason.OK);
    return QuotaReason[reason]!;
  }

  it("why callers are denied", async () => {
    const [alice, idle, gone] = [uniqueId("user"), uniqueId("idle"), uniqueId("gone")];
    const keys = { good: uniqueId("k"), off: uniqueId("k"), old: uniqueId("k") };
    await app.apply({
      users: [
        { userId: alice, allowedModels: ["plain"], allowedProviders: ["acme"] },
        { userId: idle, active: false },
        { userId: gone, expireTime: PAST },
      ],
      apiKeys: [
        { apiKeyId: keys.good, userId: alice },
        { apiKeyId: keys.off, userId: alice, active: false },
        { apiKeyId: keys.old, userId: alice, expireTime: PAST },
      ],
    });
    const cases: [CheckInit, string][] = [
      [{ userId: uniqueId("nobody") }, "USER_NOT_FOUND"],
      [{ userId: idle }, "USER_INACTIVE"],
      [{ userId: gone }, "USER_INACTIVE"],
      [{ apiKeyId: uniqueId("nokey") }, "API_KEY_NOT_FOUND"],
      [{ apiKeyId: keys.off }, "API_KEY_INACTIVE"],
      [{ apiKeyId: keys.good, userId: idle }, "API_KEY_INACTIVE"],
      [{ apiKeyId: keys.old }, "API_KEY_EXPIRED"],
      [{ userId: alice, model: "other" }, "MODEL_NOT_ALLOWED"],
      [{ apiKeyId: keys.good, provider: "other" }, "PROVIDER_NOT_ALLOWED"],
      [{ apiKeyId: keys.good, model: "plain", provider: "acme" }, "UNLIMITED"],
    ];
    for (const [request, reason] of cases) {
      expect(await reasonOf(request), JSON.stringify(request)).to.equal(reason);
    }
  });

  it("whether there is room", async () => {
    const userId = await userWithLimit(app, USD);
    expect(await reasonOf(expecting(userId, USD + 1n))).to.equal("QUOTA_EXCEEDED");
    expect(await reasonOf(expecting(userId, USD))).to.equal("OK");
  });

  it("that a prepaid balance is not enough", async () => {
    const apiKeyId = await standaloneKey(app, USD);
    expect(await reasonOf(expecting("", USD + 1n, { apiKeyId }))).to.equal("BALANCE_INSUFFICIENT");
    expect(await reasonOf(expecting("", USD, { apiKeyId }))).to.equal("OK");
  });

  it("that a user has the role ADMIN, whatever was spent", async () => {
    const userId = await userWithLimit(app, 0n);
    await app.apply({ users: [{ userId, role: UserRole.ADMIN }] });
    expect(await reasonOf(expecting(userId, USD))).to.equal("ADMIN_EXEMPT");
    const apiKeyId = await standaloneKey(app, 0n);
    expect(await reasonOf(expecting(userId, 0n, { apiKeyId }))).to.equal("BALANCE_INSUFFICIENT");
  });

  it("that a budget without a limit bounds nothing", async () => {
    const userId = uniqueId("user");
    await app.apply({
      users: [{ userId }],
      budgets: [{ budgetId: userId, scope: BudgetScope.USER, subject: userId }],
    });
    expect(await reasonOf(expecting(userId, 10n ** 18n))).to.equal("UNLIMITED");
  });

  it("that a token estimate has no price, unless the setting allows it", async () => {
    const userId = await userWithLimit(app, USD);
    const estimate = { case: "estimate" as const, value: { inputTokens: 10n } };
    const request = { userId, model: "unpriced", expectation: estimate };
    expect(await reasonOf(request)).to.equal("MODEL_NOT_PRICED");
    await app.apply({
      settings: { unpricedModelPolicy: UnpricedModelPolicy.ALLOW },
    });
    expect(await reasonOf(request)).to.equal("OK");
    await app.apply({ settings: { unpricedModelPolicy: UnpricedModelPolicy.DENY } });
    expect(await reasonOf(expecting(userId, 1n, { model: "unpriced" }))).to.equal("OK");
    const tokens = await userWithLimit(app, 100n, { measure: BudgetMeasure.TOKENS });
    expect(await reasonOf({ ...request, userId: tokens })).to.equal("OK");
  });
});

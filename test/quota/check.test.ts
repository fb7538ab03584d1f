import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { QuotaReason } from "../../gen/tally/v1/quota_checker_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { usage } from "../usage/usage-fixture.js";
import {
  type BudgetInit,
  type CheckInit,
  expecting,
  reserving,
  standaloneKey,
  standing,
  userWithLimit,
  zoneFarFromMidnight,
} from "./quota-fixture.js";

const USD = 1_000_000_000n;
const PAST = timestampFromMs(Date.UTC(2020, 0));

describe("CheckQuota", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    const tier = { inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 2_000_000n };
    await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  const check = (request: CheckInit) => app.clients.checker.checkQuota(request);

  async function spend(userId: string, nanoUsd: bigint, apiKeyId = ""): Promise<void> {
    const input = usage({
      userId,
      apiKeyId,
      model: "plain",
      inputTokens: nanoUsd,
      outputTokens: 0n,
    });
    await app.clients.recorder.recordUsage({ usage: input });
  }

  it("denies an empty balance even for an estimate of nothing", async () => {
    const apiKeyId = await standaloneKey(app, 100n);
    expect((await check({ apiKeyId })).allowed).to.equal(true);
    await spend("", 100n, apiKeyId);
    for (const reserve of [false, true]) {
      expect((await check({ apiKeyId, reserve })).allowed).to.equal(false);
    }
  });

  it("tells the figures of the budget that denies, in dollars, and when to ask again", async () => {
    const { timeZone, offsetMs } = zoneFarFromMidnight();
    const userId = await userWithLimit(app, 3n * USD, {
      window: { kind: BudgetWindowKind.DAY, timeZone },
    });
    await spend(userId, USD / 2n);
    await check(reserving(userId, USD));
    const answer = await check(expecting(userId, 2n * USD));
    expect(answer).to.deep.include({
      allowed: false,
      reason: QuotaReason.QUOTA_EXCEEDED,
      message: `budget "${userId}": $1.50 remaining, $2.00 needed`,
      remainingNanoUsd: (3n * USD) / 2n,
      estimatedCostNanoUsd: 2n * USD,
      reservationId: "",
    });
    const { resetTime, ...budget } = answer.limitingBudget!;
    expect(budget).to.deep.include({
      budgetId: userId,
      scope: BudgetScope.USER,
      subject: userId,
      measure: BudgetMeasure.COST,
      limit: 3n * USD,
      spent: USD / 2n,
      held: USD,
      remaining: (3n * USD) / 2n,
    });
    const resetMs = Number(resetTime!.seconds) * 1_000;
    expect((resetMs + offsetMs) % 86_400_000).to.equal(0);
    expect(resetMs - Date.now()).to.be.within(-1_000, 86_400_000);
    // What is held may come back at any time.
    expect(answer.retryAfter?.seconds).to.equal(1n);
    const hopeless = await check(expecting(userId, 4n * USD));
    expect(Number(hopeless.retryAfter?.seconds)).to.be.within(
      (resetMs - Date.now()) / 1_000 - 2,
      (resetMs - Date.now()) / 1_000 + 2,
    );
  });

  it("tells the least that is left in money, after what it holds", async () => {
    const userId = await userWithLimit(app, 100n);
    const wide = { budgetId: uniqueId("wide"), scope: BudgetScope.USER, subject: userId };
    await app.apply({ budgets: [{ ...wide, limit: 200n }] });
    const open = await check(expecting(userId, 30n));
    expect([open.remainingNanoUsd, open.limitingBudget?.budgetId]).to.deep.equal([100n, userId]);
    const held = await check(reserving(userId, 30n));
    expect([held.remainingNanoUsd, held.limitingBudget?.held]).to.deep.equal([70n, 30n]);
    const forbidden = await check(expecting(userId, 71n));
    expect(forbidden.allowed).to.equal(false);
    const unlimited = uniqueId("user");
    await app.apply({ users: [{ userId: unlimited }] });
    expect((await check({ userId: unlimited })).remainingNanoUsd).to.equal(undefined);
  });

  it("holds the estimate at its price, until the budget of any measure is short", async () => {
    const userId = await userWithLimit(app, 1_000n);
    const limits: [BudgetMeasure, bigint][] = [
      [BudgetMeasure.TOKENS, 150n],
      [BudgetMeasure.REQUESTS, 2n],
    ];
    const budgets = limits.map(
      ([measure, limit]): BudgetInit => ({
        budgetId: `${userId}-${BudgetMeasure[measure]}`,
        scope: BudgetScope.USER,
        subject: userId,
        measure,
        limit,
      }),
    );
    await app.apply({ budgets });
    const request: CheckInit = {
      userId,
      model: "plain",
      provider: "acme",
      reserve: true,
      expectation: { case: "estimate", value: { inputTokens: 40n, maxOutputTokens: 20n } },
    };
    const first = await check(request);
    expect([first.allowed, first.estimatedCostNanoUsd]).to.deep.equal([true, 80n]);
    expect((await check({ ...request, estimatedTokens: 91n })).limitingBudget?.measure).to.equal(
      BudgetMeasure.TOKENS,
    );
    expect((await check({ ...request, estimatedTokens: 90n })).allowed).to.equal(true);
    const third = await check({ ...request, estimatedTokens: 0n });
    expect(third.limitingBudget?.measure).to.equal(BudgetMeasure.REQUESTS);
    expect(third.message).to.equal(
      `budget "${userId}-REQUESTS": 0 requests remaining, 1 requests needed`,
    );
    expect(await standing(app, `${userId}-TOKENS`)).to.deep.equal({ spent: 0n, held: 150n });
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 160n });
  });

  it("warns of soft limits and never denies by them", async () => {
    const userId = await userWithLimit(app, 100n, { enforcement: BudgetEnforcement.SOFT });
    expect((await check(expecting(userId, 100n))).warnings).to.deep.equal([]);
    await spend(userId, 60n);
    for (const reserve of [true, false]) {
      const { allowed, reason, warnings } = await check({ ...expecting(userId, 41n), reserve });
      expect([allowed, reason]).to.deep.equal([true, QuotaReason.UNLIMITED]);
      expect(warnings[0]).to.deep.include({
        budgetId: userId,
        scope: BudgetScope.USER,
        limit: 100n,
        projected: 101n,
        message: `budget "${userId}": $0.000000101 would pass the soft limit of $0.0000001`,
      });
    }
  });

  it("denies by a budget that has expired", async () => {
    const userId = await userWithLimit(app, USD, { expireTime: PAST });
    for (const reserve of [true, false]) {
      const answer = await check({ userId, reserve });
      expect([answer.allowed, answer.message]).to.deep.equal([
        false,
        `budget "${userId}" has expired`,
      ]);
      expect(answer.retryAfter).to.equal(undefined);
    }
  });

  it("judges by the actual cost what a provider's budget allows", async () => {
    const provider = uniqueId("provider");
    const providerKeyId = uniqueId("key");
    const userId = uniqueId("user");
    await app.apply({
      users: [{ userId }],
      providers: [{ provider }],
      providerKeys: [{ providerKeyId, provider, rateMultiplier: "0.5" }],
      budgets: [
        { budgetId: provider, scope: BudgetScope.PROVIDER, subject: provider, limit: 100n },
      ],
    });
    const request: CheckInit = {
      userId,
      provider,
      model: "plain",
      expectation: { case: "estimate", value: { inputTokens: 200n } },
    };
    expect((await check(request)).allowed).to.equal(false);
    expect((await check({ ...request, providerApiKeyId: providerKeyId })).allowed).to.equal(true);
  });

  it("refuses requests that break the contract", async () => {
    const userId = uniqueId("user");
    const estimate = { inputTokens: 2n ** 40n };
    const tier = { inputNanoUsdPerMillion: 10n ** 15n, outputNanoUsdPerMillion: 0n };
    await app.apply({
      users: [{ userId }],
      prices: [{ model: "absurd", price: { tiers: [tier] } }],
    });
    const cases: [CheckInit, string][] = [
      [{}, "user_id"],
      [{ userId: "a\0" }, "user_id"],
      [{ userId, reservationTtl: { nanos: 999_999_999 } }, "reservation_ttl"],
      [{ userId, reservationTtl: { seconds: 86_401n } }, "reservation_ttl"],
      [expecting(userId, -1n), "estimated_cost_nano_usd"],
      [{ userId, requestId: "x".repeat(101) }, "request_id"],
      [{ userId, model: "absurd", expectation: { case: "estimate", value: estimate } }, "estimate"],
    ];
    for (const [request, field] of cases) {
      const error = await rpcFailure(check(request));
      expect([error.codeName, error.reason], field).to.deep.equal([
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
      ]);
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal(field);
    }
  });
});

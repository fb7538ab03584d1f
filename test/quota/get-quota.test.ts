import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import type { GetQuotaRequest } from "../../gen/tally/v1/quota_checker_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { usage } from "../usage/usage-fixture.js";
import {
  budgetState,
  reserve,
  standaloneKey,
  userWithLimit,
  zoneFarFromMidnight,
} from "./quota-fixture.js";

const DAY_MS = 86_400_000;

describe("GetQuota", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    const tier = { inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 1_000_000n };
    await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
  });
  after(() => app.stop());

  function getQuota(subject: GetQuotaRequest["subject"]) {
    return app.clients.checker.getQuota({ subject });
  }

  async function budgetIds(subject: GetQuotaRequest["subject"]): Promise<string[]> {
    return (await getQuota(subject)).budgets.map(({ budgetId }) => budgetId);
  }

  it("tells where a budget stands", async () => {
    const { timeZone, offsetMs } = zoneFarFromMidnight();
    const startMs = Math.floor((Date.now() + offsetMs) / DAY_MS) * DAY_MS - offsetMs;
    const window = { kind: BudgetWindowKind.DAY, timeZone };
    const userId = await userWithLimit(app, 1_000n, { window });
    await reserve(app, userId, 300n);
    const told = usage({ userId, model: "plain", inputTokens: 100n, outputTokens: 0n });
    await app.clients.recorder.recordUsage({ usage: told });
    const state = await budgetState(app, userId);
    expect(state).to.deep.include({
      budgetId: userId,
      scope: BudgetScope.USER,
      subject: userId,
      measure: BudgetMeasure.COST,
      enforcement: BudgetEnforcement.HARD,
      limit: 1_000n,
      spent: 100n,
      held: 300n,
      remaining: 600n,
      periodStartTime: timestampFromMs(startMs),
      resetTime: timestampFromMs(startMs + DAY_MS),
    });
    expect(state.window).to.deep.include({ kind: BudgetWindowKind.DAY, timeZone });
  });

  it("tells of one without a limit what was spent", async () => {
    const budgetId = uniqueId("budget");
    const tag = `team=${budgetId}`;
    const measure = BudgetMeasure.REQUESTS;
    await app.apply({ budgets: [{ budgetId, scope: BudgetScope.TAG, subject: tag, measure }] });
    await app.clients.recorder.recordUsage({ usage: usage({ tags: { team: budgetId } }) });
    const state = await budgetState(app, budgetId);
    expect([state.spent, state.limit, state.remaining, state.resetTime]).to.deep.equal([
      1n,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("tells below zero what was spent beyond the limit", async () => {
    const userId = await userWithLimit(app, 10n);
    const told = usage({ userId, model: "plain", inputTokens: 25n, outputTokens: 0n });
    await app.clients.recorder.recordUsage({ usage: told });
    expect((await budgetState(app, userId)).remaining).to.equal(-15n);
  });

  it("lists the largest open reservations, the largest first", async () => {
    const userId = await userWithLimit(app, 10_000n);
    const amounts = [5n, 900n, 20n, 300n, 1n, 7n, 50n, 60n, 70n, 80n, 90n, 110n];
    const made = new Map<bigint, string>();
    for (const amount of amounts) {
      const requestId = `${userId}-${amount}`;
      const { reservationId } = await reserve(app, userId, amount, { requestId });
      made.set(amount, reservationId);
    }
    const { reservations, held } = await budgetState(app, userId);
    const largest = [900n, 300n, 110n, 90n, 80n, 70n, 60n, 50n, 20n, 7n];
    expect(reservations.map((reservation) => reservation.held)).to.deep.equal(largest);
    expect(held).to.equal(amounts.reduce((sum, amount) => sum + amount, 0n));
    const [first] = reservations;
    expect(first).to.deep.include({ requestId: `${userId}-900`, reservationId: made.get(900n) });
    expect(Number(first!.age!.seconds)).to.be.within(0, 10);
    const expiresMs = Number(first!.expireTime!.seconds) * 1_000 - Date.now();
    expect(expiresMs).to.be.within(580_000, 601_000);
    const { released } = await app.clients.checker.releaseReservation({
      reservationId: first!.reservationId,
    });
    expect(released).to.equal(true);
    expect((await budgetState(app, userId)).reservations[0]?.held).to.equal(300n);
  });

  it("tells every budget of a user, a key and a standalone key", async () => {
    const userId = await userWithLimit(app, 1n);
    const [apiKeyId, all] = [uniqueId("key"), uniqueId("all")];
    await app.apply({
      apiKeys: [{ apiKeyId, userId }],
      budgets: [
        { budgetId: apiKeyId, scope: BudgetScope.API_KEY, subject: apiKeyId },
        { budgetId: all, scope: BudgetScope.GLOBAL },
      ],
    });
    const prepaid = await standaloneKey(app, 5n);
    expect(await budgetIds({ case: "userId", value: userId })).to.deep.equal([userId, all]);
    expect(await budgetIds({ case: "apiKeyId", value: apiKeyId })).to.deep.equal([
      apiKeyId,
      userId,
      all,
    ]);
    expect(await budgetIds({ case: "apiKeyId", value: prepaid })).to.deep.equal([prepaid]);
    await app.apply({ budgets: [{ budgetId: all, scope: BudgetScope.GLOBAL, active: false }] });
    expect(await budgetIds({ case: "budgetId", value: all })).to.deep.equal([all]);
  });

  it("answers NOT_FOUND for who and what is not known", async () => {
    for (const subject of ["userId", "apiKeyId", "budgetId"] as const) {
      const value = uniqueId("nothing");
      const error = await rpcFailure(getQuota({ case: subject, value }));
      expect([error.codeName, error.reason]).to.deep.equal(["NOT_FOUND", "SUBJECT_NOT_FOUND"]);
      expect(error.details.resourceInfo?.resourceName).to.equal(value);
    }
    const error = await rpcFailure(getQuota({ case: undefined }));
    expect([error.codeName, error.reason]).to.deep.equal(["INVALID_ARGUMENT", "INVALID_FIELD"]);
  });
});

import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import { QuotaReason } from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetMeasure, BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import type { RpcError } from "../../src/client/rpc-error.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { sonnetCost, USAGE_CATALOG, usage } from "../usage/usage-fixture.js";
import {
  reserve,
  reserving,
  standaloneKey,
  standing,
  untilKnown,
  userWithLimit,
} from "./quota-fixture.js";

function fieldsOf({ details }: RpcError): string[] {
  return (details.badRequest?.fieldViolations ?? []).map(({ field }) => field);
}

describe("ExtendReservation", () => {
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

  const cost = (value: bigint) => ({ case: "estimatedCostNanoUsd" as const, value });

  function extend(reservationId: string, nanoUsd: bigint, replica = app) {
    const expectation = cost(nanoUsd);
    return replica.clients.checker.extendReservation({ reservationId, expectation });
  }

  async function record(userId: string, reservationId: string, inputTokens: bigint, replica = app) {
    const requestId = uniqueId("request");
    return await replica.clients.recorder.recordUsage({
      usage: usage({ requestId, userId, model: "sonnet", inputTokens }),
      reservationId,
    });
  }

  for (const where of ["where it was made", "at another replica"] as const) {
    const at = () => (where === "where it was made" ? app : other);

    describe(where, () => {
      it("holds more under a new id, and what is recorded with it settles all of it", async () => {
        await app.apply(USAGE_CATALOG);
        const limit = 20_000_000n;
        const userId = await userWithLimit(app, limit);
        await untilKnown(other, userId);
        const first = await reserve(app, userId, 3_000_000n);
        const extended = await extend(first.reservationId, 8_000_000n, at());
        expect([extended.allowed, extended.reason]).to.deep.equal([true, QuotaReason.OK]);
        expect(extended.estimatedCostNanoUsd).to.equal(8_000_000n);
        expect(extended.reservationId).to.not.equal(first.reservationId);
        expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 8_000_000n });
        await record(userId, extended.reservationId, 100n, at());
        const spent = sonnetCost(100n, 100n);
        await eventually("nothing is held", async () => (await standing(app, userId)).held === 0n);
        expect(await standing(app, userId)).to.deep.equal({ spent, held: 0n });
      });

      it("says stop when the funds end, and leaves the reservation as it was", async () => {
        const userId = await userWithLimit(app, 100n);
        await untilKnown(other, userId);
        const { reservationId, expireTime } = await reserve(app, userId, 60n);
        const refused = await extend(reservationId, 101n, at());
        expect([refused.allowed, refused.reason]).to.deep.equal([
          false,
          QuotaReason.QUOTA_EXCEEDED,
        ]);
        expect(refused.reservationId).to.equal(reservationId);
        expect(refused.expireTime).to.deep.equal(expireTime);
        expect(refused.limitingBudget).to.deep.include({
          budgetId: userId,
          limit: 100n,
          held: 60n,
        });
        expect(refused.message).to.match(/40 nano|0\.00000004 remaining/);
        expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 60n });
        expect((await extend(reservationId, 100n, at())).allowed).to.equal(true);
      });

      it("lasts longer, even where nothing is left", async () => {
        const userId = await userWithLimit(app, 60n);
        await untilKnown(other, userId);
        const ttl = (seconds: bigint) => ({ reservationTtl: { seconds } });
        const { reservationId, expireTime } = await reserve(app, userId, 60n, ttl(30n));
        const request = { reservationId, ...ttl(500n) };
        const extended = await at().clients.checker.extendReservation(request);
        expect(extended.allowed).to.equal(true);
        const laterBy = Number(extended.expireTime!.seconds - expireTime!.seconds);
        expect(laterBy).to.be.within(469, 480);
        expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 60n });
      });

      it("refuses what has ended", async () => {
        const userId = await userWithLimit(app, 100n);
        await untilKnown(other, userId);
        const { reservationId } = await reserve(app, userId, 60n);
        await app.clients.checker.releaseReservation({ reservationId });
        const failure = await rpcFailure(extend(reservationId, 70n, at()));
        expect([failure.code, failure.details.errorInfo?.reason]).to.deep.equal([
          Code.FAILED_PRECONDITION,
          "RESERVATION_ENDED",
        ]);
        expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 0n });
      });
    });
  }

  it("never holds less than before, nor ends earlier", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId, expireTime } = await reserve(app, userId, 60n);
    const extended = await app.clients.checker.extendReservation({
      reservationId,
      expectation: cost(10n),
      reservationTtl: { seconds: 1n },
    });
    expect([extended.allowed, extended.expireTime]).to.deep.equal([true, expireTime]);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 60n });
  });

  it("extends all budgets or none, each in its measure", async () => {
    const userId = await userWithLimit(app, 1_000n);
    const tokens = uniqueId("tokens");
    const scope = BudgetScope.USER;
    await app.apply({
      budgets: [
        { budgetId: tokens, scope, subject: userId, measure: BudgetMeasure.TOKENS, limit: 500n },
      ],
    });
    const { reservationId } = await reserve(app, userId, 10n, { estimatedTokens: 100n });
    const extendTo = (value: bigint, estimatedTokens: bigint) =>
      app.clients.checker.extendReservation({
        reservationId,
        expectation: cost(value),
        estimatedTokens,
      });
    expect((await extendTo(20n, 501n)).limitingBudget?.budgetId).to.equal(tokens);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 10n });
    expect((await extendTo(20n, 500n)).allowed).to.equal(true);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 20n });
    expect(await standing(app, tokens)).to.deep.equal({ spent: 0n, held: 500n });
  });

  it("names the balance for a standalone key", async () => {
    const apiKeyId = await standaloneKey(app, 100n);
    const checked = await app.clients.checker.checkQuota(reserving("", 60n, { apiKeyId }));
    const refused = await extend(checked.reservationId, 200n);
    expect(refused.reason).to.equal(QuotaReason.BALANCE_INSUFFICIENT);
  });

  it("releases all of an extended reservation, by its newest id", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId } = await reserve(app, userId, 60n);
    const extended = await extend(reservationId, 90n);
    const released = await app.clients.checker.releaseReservation({
      reservationId: extended.reservationId,
    });
    expect(released.holds).to.deep.include.members([]);
    expect(released.holds.map(({ amount }) => amount)).to.deep.equal([90n]);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 0n });
  });

  it("admits exactly what fits when many extend at once", async () => {
    const userId = await userWithLimit(app, 100n);
    const made = await Promise.all(Array.from({ length: 10 }, () => reserve(app, userId, 5n)));
    const answers = await Promise.all(made.map(({ reservationId }) => extend(reservationId, 15n)));
    expect(answers.filter(({ allowed }) => allowed)).to.have.length(5);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
  });

  it("names every broken rule", async () => {
    const failure = await rpcFailure(
      app.clients.checker.extendReservation({
        reservationId: "",
        expectation: { case: "estimate", value: { inputTokens: -1n } },
        reservationTtl: { seconds: 0n },
      }),
    );
    expect(fieldsOf(failure)).to.include.members([
      "reservation_id",
      "estimate.input_tokens",
      "reservation_ttl",
      "model",
    ]);
    const forged = await rpcFailure(extend("AAAA", 1n));
    expect(forged.details.errorInfo?.reason).to.contain("RESERVATION_INVALID");
  });
});

describe("BatchCheckQuota", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply({ apiKeys: [{ apiKeyId: "batch-key", kind: ApiKeyKind.STANDALONE }] });
  });
  after(() => app.stop());

  it("answers in order, and one bad check fails no other", async () => {
    const userId = await userWithLimit(app, 100n);
    const { results } = await app.clients.checker.batchCheckQuota({
      requests: [
        reserving(userId, 60n),
        reserving("", 1n, { estimatedTokens: -1n }),
        reserving("nobody-at-all", 1n),
        reserving(userId, 40n),
        reserving(userId, 1n),
      ],
    });
    const told = results.map(({ result }) =>
      result.case === "response" ? QuotaReason[result.value.reason] : result.value?.code,
    );
    expect(told).to.deep.equal(["OK", 3, "USER_NOT_FOUND", "OK", "QUOTA_EXCEEDED"]);
    const error = results[1]!.result;
    expect(error.case === "error" && error.value.message).to.contain("requests[1].");
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
  });

  it("takes 1 to 1,000 checks", async () => {
    const userId = await userWithLimit(app, 1_000n);
    const checks = (count: number) => ({
      requests: Array.from({ length: count }, () => reserving(userId, 1n)),
    });
    const { results } = await app.clients.checker.batchCheckQuota(checks(1_000));
    expect(results).to.have.length(1_000);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 1_000n });
    for (const count of [0, 1_001]) {
      const failure = await rpcFailure(app.clients.checker.batchCheckQuota(checks(count)));
      expect(fieldsOf(failure)).to.deep.equal(["requests"]);
    }
  });
});

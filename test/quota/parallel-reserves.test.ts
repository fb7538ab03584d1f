import { expect } from "chai";
import fc from "fast-check";
import { BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { uniqueId } from "../support/unique-id.js";
import { usage } from "../usage/usage-fixture.js";
import {
  type CheckInit,
  expecting,
  reserving,
  standing,
  untilKnown,
  userWithLimit,
} from "./quota-fixture.js";

describe("reserves at the same moment", () => {
  let app: TestApp;
  let other: TestApp;

  before(async () => {
    app = await startTestApp();
    const tier = { inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 1_000_000n };
    await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
    other = await startTestApp({ replicaOf: app });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await other.stop();
    await app.stop();
  });

  /** Sends all at once, in turn to the replicas; the ids of the reservations that were made. */
  async function reserveAll(
    requests: readonly CheckInit[],
    replicas: readonly TestApp[],
  ): Promise<string[]> {
    const answers = await Promise.all(
      requests.map((request, n) =>
        replicas[n % replicas.length]!.clients.checker.checkQuota(request),
      ),
    );
    return answers.flatMap(({ allowed, reservationId }) => (allowed ? [reservationId] : []));
  }

  for (const count of [1, 2]) {
    const replicas = () => [app, other].slice(0, count);
    const where = count === 1 ? "one replica" : "two replicas";

    it(`are admitted on ${where} exactly as many as fit`, async () => {
      const userId = await userWithLimit(app, 37n * 1_000n + 999n);
      await untilKnown(other, userId);
      const requests = Array.from({ length: 200 }, () => reserving(userId, 1_000n));
      const admitted = await reserveAll(requests, replicas());
      expect(admitted).to.have.length(37);
      expect(new Set(admitted).size).to.equal(37);
      expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 37_000n });
    });

    it(`are admitted on ${where} exactly as many as fit the tightest of their budgets`, async () => {
      const userId = await userWithLimit(app, 3_100n);
      const ids = [userId, uniqueId("team"), uniqueId("model")] as const;
      const [, team, model] = ids;
      await app.apply({
        budgets: [
          { budgetId: team, scope: BudgetScope.TAG, subject: `team=${team}`, limit: 1_799n },
          { budgetId: model, scope: BudgetScope.MODEL, subject: model, limit: 2_300n },
        ],
      });
      await untilKnown(other, userId, ids);
      const request = reserving(userId, 100n, { model, tags: { team } });
      const admitted = await reserveAll(Array(100).fill(request), replicas());
      expect(admitted).to.have.length(17);
      for (const budgetId of ids) {
        expect(await standing(app, budgetId), budgetId).to.deep.equal({ spent: 0n, held: 1_700n });
      }
    });

    it(`are admitted on ${where} on all budgets or on none`, async () => {
      const [userId, team, model] = [uniqueId("user"), uniqueId("team"), uniqueId("model")];
      const shared = await userWithLimit(app, 23n * 100n, {
        budgetId: model,
        scope: BudgetScope.MODEL,
        subject: model,
      });
      await app.apply({
        users: [{ userId }],
        budgets: [
          { budgetId: userId, scope: BudgetScope.USER, subject: userId, limit: 31n * 100n },
          { budgetId: team, scope: BudgetScope.TAG, subject: `team=${team}`, limit: 17n * 100n },
        ],
      });
      await untilKnown(other, userId, [userId, team, model]);
      await untilKnown(other, shared, []);
      // Two kinds of requests that share one budget and have one each of their own.
      const requests = Array.from({ length: 120 }, (_, n) =>
        n % 3 === 0
          ? reserving(userId, 100n, { model, tags: { team } })
          : reserving(shared, 100n, { model }),
      );
      const admitted = await reserveAll(requests, replicas());
      expect(admitted).to.have.length(23);
      const [ofModel, ofUser, ofTeam] = await Promise.all(
        [model, userId, team].map(async (budgetId) => (await standing(app, budgetId)).held),
      );
      expect(ofModel).to.equal(2_300n);
      expect(ofUser).to.equal(ofTeam);
      expect(ofTeam! <= 1_700n).to.equal(true);
      // Nothing leaks: once all are released, everything fits again.
      await Promise.all(
        admitted.map((reservationId) => app.clients.checker.releaseReservation({ reservationId })),
      );
      for (const budgetId of [model, userId, team]) {
        expect((await standing(app, budgetId)).held, budgetId).to.equal(0n);
      }
    });
  }

  it("never overspend, however reserves, records and releases mix on two replicas", async () => {
    const limit = 10_000n;
    const amounts = fc.integer({ min: 0, max: 900 });
    const steps = fc.array(
      fc.record({ replica: fc.nat({ max: 1 }), held: amounts, share: fc.nat({ max: 100 }) }),
      { minLength: 30, maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const userId = await userWithLimit(app, limit);
        await untilKnown(other, userId);
        let spent = 0n;
        await Promise.all(
          all.map(async ({ replica, held, share }, n) => {
            const [made, ended] = replica === 0 ? [app, other] : [other, app];
            const request = reserving(userId, BigInt(held));
            const { allowed, reservationId } = await made.clients.checker.checkQuota(request);
            if (!allowed) return;
            if (n % 4 === 0) {
              await ended.clients.checker.releaseReservation({ reservationId });
              return;
            }
            const tokens = BigInt(Math.floor((held * share) / 100));
            const told = usage({ userId, model: "plain", inputTokens: tokens, outputTokens: 0n });
            const by = n % 4 === 1 ? made : ended;
            await by.clients.recorder.recordUsage({ usage: told, reservationId });
            spent += tokens;
          }),
        );
        expect(spent <= limit).to.equal(true);
        expect(await standing(app, userId)).to.deep.equal({ spent, held: 0n });
        // All that was not spent can be held, on either replica, to the last nano-USD.
        if (spent === limit) return;
        const { checker } = (all.length % 2 === 0 ? app : other).clients;
        expect((await checker.checkQuota(expecting(userId, limit - spent + 1n))).allowed).to.equal(
          false,
        );
        expect((await checker.checkQuota(reserving(userId, limit - spent))).allowed).to.equal(true);
      }),
      { numRuns: 12 },
    );
  });
});

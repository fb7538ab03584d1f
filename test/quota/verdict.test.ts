import { expect } from "chai";
import {
  denialMessage,
  isShort,
  retryAfterMs,
  type Standing,
  standingOf,
  tightest,
  warningMessage,
} from "../../src/quota/verdict.js";
import { makeBudget } from "./quota-directory.js";

const LIFETIME = { startMs: 0, endMs: null };
const NOW_MS = 1_000;

/** A budget of 100 that is met with an amount. */
function standing(
  figures: { limit?: bigint; spent?: bigint; held?: bigint },
  fields: Partial<Standing> = {},
): Standing {
  const { limit = 100n, spent = 0n, held = 0n } = figures;
  const budget = makeBudget({ budgetId: "b", scope: "USER", subject: "u" });
  const met = { budget, period: LIFETIME, amount: 10n, isExpired: false, ...fields };
  return standingOf(met, { budgetId: "b", periodStartMs: 0, limit, spent, held })!;
}

describe("standingOf", () => {
  it("leaves what is neither spent nor held", () => {
    expect(standing({ spent: 30n, held: 50n })).to.deep.include({ remaining: 20n, held: 50n });
    expect(standing({ spent: 130n })).to.deep.include({ remaining: -30n });
  });

  it("leaves nothing of an expired budget", () => {
    expect(standing({ spent: 30n }, { isExpired: true }).remaining).to.equal(0n);
    expect(standing({ spent: 130n }, { isExpired: true }).remaining).to.equal(-30n);
  });

  it("has no answer for a budget that became unlimited", () => {
    const {
      limit: _limit,
      spent: _spent,
      held: _held,
      remaining: _remaining,
      ...met
    } = standing({});
    const figures = { budgetId: "b", periodStartMs: 0, limit: undefined, spent: 0n, held: 0n };
    expect(standingOf(met, figures)).to.equal(undefined);
  });
});

describe("isShort", () => {
  it("wants room for the amount, and something left even for none", () => {
    expect(isShort(standing({ spent: 90n }))).to.equal(false);
    expect(isShort(standing({ spent: 91n }))).to.equal(true);
    expect(isShort(standing({ spent: 99n }, { amount: 0n }))).to.equal(false);
    expect(isShort(standing({ spent: 100n }, { amount: 0n }))).to.equal(true);
  });
});

describe("tightest", () => {
  it("is the budget in money with the least left", () => {
    const tokens = makeBudget({ budgetId: "t", scope: "USER", subject: "u", measure: "TOKENS" });
    const all = [
      standing({ spent: 10n }),
      standing({ spent: 99n }, { budget: tokens }),
      standing({ spent: 70n }),
      standing({ spent: 20n }),
    ];
    expect(tightest(all)?.remaining).to.equal(30n);
    expect(tightest(all.slice(1, 2))).to.equal(undefined);
  });
});

describe("denialMessage and warningMessage", () => {
  const USD = 1_000_000_000n;

  it("tell money in dollars", () => {
    const short = standing({ limit: 2n * USD, spent: USD / 2n, held: USD }, { amount: 3n * USD });
    expect(denialMessage(short)).to.equal('budget "b": $0.50 remaining, $3.00 needed');
    const over = standing({ limit: USD, spent: USD + 1n }, { amount: 1n });
    expect(denialMessage(over)).to.equal(
      'budget "b": -$0.000000001 remaining, $0.000000001 needed',
    );
    expect(warningMessage(short, 4n * USD)).to.equal(
      'budget "b": $4.00 would pass the soft limit of $2.00',
    );
  });

  it("tell tokens and requests in their own unit", () => {
    for (const measure of ["TOKENS", "REQUESTS"] as const) {
      const budget = makeBudget({ budgetId: "b", scope: "USER", subject: "u", measure });
      const unit = measure.toLowerCase();
      expect(denialMessage(standing({ spent: 95n }, { budget }))).to.equal(
        `budget "b": 5 ${unit} remaining, 10 ${unit} needed`,
      );
    }
  });

  it("tell that a budget has expired", () => {
    expect(denialMessage(standing({}, { isExpired: true }))).to.equal('budget "b" has expired');
  });
});

describe("retryAfterMs", () => {
  const period = { startMs: 0, endMs: 5_000 };

  it("is soon while reservations hold what is missing", () => {
    const held = standing({ spent: 50n, held: 45n }, { period });
    expect(retryAfterMs(held, NOW_MS)).to.equal(1_000);
    expect(retryAfterMs({ ...held, period: LIFETIME }, NOW_MS)).to.equal(1_000);
  });

  it("is the end of the window when the missing is spent", () => {
    expect(retryAfterMs(standing({ spent: 95n, held: 5n }, { period }), NOW_MS)).to.equal(4_000);
    expect(retryAfterMs(standing({ spent: 95n }, { period }), NOW_MS)).to.equal(4_000);
    expect(retryAfterMs(standing({ spent: 95n }, { period }), 9_000)).to.equal(0);
  });

  it("is never when only somebody's change can help", () => {
    expect(retryAfterMs(standing({ spent: 95n }), NOW_MS)).to.equal(undefined);
    expect(retryAfterMs(standing({}, { isExpired: true, period }), NOW_MS)).to.equal(undefined);
  });
});

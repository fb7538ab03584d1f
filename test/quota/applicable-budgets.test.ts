import { expect } from "chai";
import { budgetsCharged, budgetsChecked } from "../../src/quota/applicable-budgets.js";
import type { SpendSubject } from "../../src/quota/directory.js";
import { makeBudget, makeDirectory, makeKey } from "./quota-directory.js";

const directory = makeDirectory({
  apiKeys: [makeKey("k1", "u1"), makeKey("prepaid", "u1", { kind: "STANDALONE" })],
  budgets: [
    makeBudget({ budgetId: "u1-a", scope: "USER", subject: "u1" }),
    makeBudget({ budgetId: "u1-b", scope: "USER", subject: "u1", enforcement: "SOFT" }),
    makeBudget({ budgetId: "u1-off", scope: "USER", subject: "u1", active: false }),
    makeBudget({ budgetId: "u2", scope: "USER", subject: "u2" }),
    makeBudget({ budgetId: "k1", scope: "API_KEY", subject: "k1" }),
    makeBudget({ budgetId: "prepaid", scope: "API_KEY", subject: "prepaid" }),
    makeBudget({ budgetId: "p1", scope: "PROVIDER", subject: "p1" }),
    makeBudget({ budgetId: "m1", scope: "MODEL", subject: "m1" }),
    makeBudget({ budgetId: "red", scope: "TAG", subject: "team=red" }),
    makeBudget({ budgetId: "empty", scope: "TAG", subject: "team=" }),
    makeBudget({ budgetId: "all", scope: "GLOBAL", subject: "" }),
  ],
});

function subject(fields: Partial<SpendSubject>): SpendSubject {
  return { userId: "", apiKeyId: "", provider: "", model: "", tags: {}, ...fields };
}

const EVERYTHING = { provider: "p1", model: "m1", tags: { team: "red", other: "x" } };
const SHARED = ["p1", "m1", "red", "all"];

/** Who spends, what is charged, and what a check is judged by where that differs. */
const CASES: readonly (readonly [string, Partial<SpendSubject>, string[], string[]?])[] = [
  ["nobody", {}, ["all"]],
  ["a user", { userId: "u1" }, ["u1-a", "u1-b", "all"]],
  ["a user with all that applies", { userId: "u1", ...EVERYTHING }, ["u1-a", "u1-b", ...SHARED]],
  ["a key and its user", { userId: "u1", apiKeyId: "k1" }, ["k1", "u1-a", "u1-b", "all"]],
  ["a key alone", { apiKeyId: "k1" }, ["k1", "u1-a", "u1-b", "all"]],
  ["a key with another user", { userId: "u2", apiKeyId: "k1" }, ["k1", "u2", "all"]],
  ["an unknown key", { userId: "u2", apiKeyId: "k9" }, ["u2", "all"]],
  [
    "a standalone key",
    { userId: "u1", apiKeyId: "prepaid", ...EVERYTHING },
    ["prepaid", ...SHARED],
    ["prepaid"],
  ],
  ["a tag without a value", { tags: { team: "" } }, ["empty", "all"]],
  ["a tag of another value", { tags: { team: "re" } }, ["all"]],
];

describe("budgets that apply", () => {
  for (const [who, fields, charged, checked = charged] of CASES) {
    it(`to ${who} are ${charged.join(", ")}`, () => {
      const ids = (budgets: readonly { budgetId: string }[]) =>
        budgets.map(({ budgetId }) => budgetId);
      expect(ids(budgetsCharged(directory, subject(fields)))).to.deep.equal(charged);
      expect(ids(budgetsChecked(directory, subject(fields)))).to.deep.equal(checked);
    });
  }
});

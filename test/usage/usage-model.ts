/**
 * Tally's books as one would keep them on paper: the last word of each request, added up from
 * scratch. It shares no code with what it checks.
 */
import fc from "fast-check";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import { BudgetMeasure, BudgetScope, BudgetWindowKind } from "../../gen/tally/v1/usage_pb.js";
import type { DocumentInit } from "../support/app.js";

/** One thing that a gateway may say about a request. */
export interface Told {
  readonly user: string;
  readonly key: string;
  readonly provider: string;
  readonly model: string;
  readonly tag: string;
  readonly input: number;
  readonly output: number;
  /** Index into {@link DAYS}. */
  readonly day: number;
  readonly isFailed: boolean;
  readonly isExcluded: boolean;
  readonly isFinished: boolean;
}

/** Days that requests arrive on; the first is in another month. */
export const DAYS = ["2026-01-31", "2026-02-01", "2026-02-02"];

/** nano-USD per token and per request; failed requests pay no price per request. */
const PRICES: Readonly<Record<string, readonly [input: bigint, output: bigint, request: bigint]>> =
  {
    m1: [1_000n, 5_000n, 0n],
    m2: [7n, 11n, 1_000_000n],
  };

/** The share of the list cost that is paid to a provider, in percent. */
const PROVIDER_PERCENT: Readonly<Record<string, bigint>> = { p1: 100n, p2: 50n };

/** Whose key it is; k3 is prepaid. */
const OWNERS: Readonly<Record<string, string>> = { k1: "u1", k2: "u2", k3: "u1" };

/** What the model assumes. */
export const MODEL_CATALOG: DocumentInit = {
  users: [{ userId: "u1" }, { userId: "u2" }],
  apiKeys: Object.entries(OWNERS).map(([apiKeyId, userId]) => ({
    apiKeyId,
    userId,
    kind: apiKeyId === "k3" ? ApiKeyKind.STANDALONE : ApiKeyKind.ORDINARY,
  })),
  providers: [{ provider: "p1" }, { provider: "p2" }],
  providerKeys: [
    { providerKeyId: "p1", provider: "p1" },
    { providerKeyId: "p2", provider: "p2", rateMultiplier: "0.5" },
  ],
  prices: Object.entries(PRICES).map(([model, [input, output, request]]) => ({
    model,
    price: {
      requestNanoUsd: request,
      tiers: [
        {
          inputNanoUsdPerMillion: input * 1_000_000n,
          outputNanoUsdPerMillion: output * 1_000_000n,
        },
      ],
    },
  })),
  budgets: [
    { budgetId: "u1", scope: BudgetScope.USER, subject: "u1" },
    {
      budgetId: "u2-tokens",
      scope: BudgetScope.USER,
      subject: "u2",
      measure: BudgetMeasure.TOKENS,
      window: { kind: BudgetWindowKind.DAY },
    },
    { budgetId: "k1", scope: BudgetScope.API_KEY, subject: "k1" },
    { budgetId: "k3", scope: BudgetScope.API_KEY, subject: "k3" },
    { budgetId: "p2", scope: BudgetScope.PROVIDER, subject: "p2" },
    {
      budgetId: "m1-requests",
      scope: BudgetScope.MODEL,
      subject: "m1",
      measure: BudgetMeasure.REQUESTS,
      window: { kind: BudgetWindowKind.MONTH },
    },
    { budgetId: "red", scope: BudgetScope.TAG, subject: "team=red" },
    { budgetId: "all", scope: BudgetScope.GLOBAL },
  ],
};

/** Anything that may be said. */
export const tolds: fc.Arbitrary<Told> = fc.record({
  user: fc.constantFrom("u1", "u2", ""),
  key: fc.constantFrom("k1", "k2", "k3", ""),
  provider: fc.constantFrom("p1", "p2"),
  model: fc.constantFrom("m1", "m2", "unpriced"),
  tag: fc.constantFrom("red", "green"),
  input: fc.integer({ min: 0, max: 5_000 }),
  output: fc.integer({ min: 0, max: 5_000 }),
  day: fc.nat({ max: DAYS.length - 1 }),
  isFailed: fc.boolean(),
  isExcluded: fc.boolean(),
  isFinished: fc.constantFrom(true, true, true, false),
});

/** What is added up: "spent u1 1970-01-01", "tokens USER u2", … Sums of 0 are left out. */
export type Sums = ReadonlyMap<string, bigint>;

/** Every sum that follows from the last word of each request. */
export function addUp(lastWords: Iterable<Told>): Sums {
  const sums = new Map<string, bigint>();
  const add = (name: string, amount: bigint) => sums.set(name, (sums.get(name) ?? 0n) + amount);
  for (const told of lastWords) {
    if (!told.isFinished) continue;
    const { list, actual, tokens } = amountsOf(told);
    for (const [kind, id] of [
      ["USER", told.user],
      ["API_KEY", told.key],
      ["PROVIDER", told.provider],
      ["MODEL", told.model],
    ]) {
      if (id === "") continue;
      add(`requests ${kind} ${id}`, 1n);
      add(`tokens ${kind} ${id}`, tokens);
      add(`cost ${kind} ${id}`, list);
      add(`actual ${kind} ${id}`, actual);
    }
    if (!told.isExcluded) charge(told, add);
  }
  for (const [name, sum] of sums) if (sum === 0n) sums.delete(name);
  return sums;
}

function charge(told: Told, add: (name: string, amount: bigint) => void): void {
  const { list, actual, tokens } = amountsOf(told);
  const day = DAYS[told.day]!;
  const user = told.key === "k3" ? "" : told.user || (OWNERS[told.key] ?? "");
  if (user === "u1") add("spent u1 1970-01-01", list);
  if (user === "u2") add(`spent u2-tokens ${day}`, tokens);
  if (told.key === "k1") add("spent k1 1970-01-01", list);
  if (told.key === "k3") add("spent k3 1970-01-01", list);
  if (told.provider === "p2") add("spent p2 1970-01-01", actual);
  if (told.model === "m1") add(`spent m1-requests ${day.slice(0, 7)}-01`, 1n);
  if (told.tag === "red") add("spent red 1970-01-01", list);
  add("spent all 1970-01-01", list);
}

function amountsOf(told: Told): { list: bigint; actual: bigint; tokens: bigint } {
  const [inputPrice, outputPrice, requestPrice] = PRICES[told.model] ?? [0n, 0n, 0n];
  const parts = [
    BigInt(told.input) * inputPrice,
    BigInt(told.output) * outputPrice,
    told.isFailed ? 0n : requestPrice,
  ];
  const percent = PROVIDER_PERCENT[told.provider] ?? 100n;
  return {
    list: parts.reduce((sum, part) => sum + part, 0n),
    actual: parts.reduce((sum, part) => sum + halfEven(part * percent, 100n), 0n),
    tokens: BigInt(told.input + told.output),
  };
}

function halfEven(numerator: bigint, denominator: bigint): bigint {
  const floor = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  if (twice === denominator) return floor + (floor % 2n);
  return twice > denominator ? floor + 1n : floor;
}

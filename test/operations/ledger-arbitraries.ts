/** Random usage records over few subjects and a few months, so that sums have something to add. */
import fc from "fast-check";
import { type CostBreakdown, sumParts, ZERO_COST } from "../../src/pricing/cost-breakdown.js";
import { normalizeTokens } from "../../src/pricing/tokens.js";
import { periodAt } from "../../src/quota/window.js";
import type { BudgetCharge, UsageRecord } from "../../src/usage/usage-record.js";
import { isFinished } from "../../src/usage/usage-record.js";

/** A budget that the records charge. */
export interface TestBudget {
  readonly budgetId: string;
  readonly scope: "GLOBAL" | "USER" | "PROVIDER" | "MODEL";
  readonly subject: string;
  readonly measure: "COST" | "TOKENS" | "REQUESTS";
  readonly kind: "LIFETIME" | "DAY";
}

/** One of each measure, and one that counts the actual cost. */
export const TEST_BUDGETS: readonly TestBudget[] = [
  { budgetId: "all", scope: "GLOBAL", subject: "", measure: "COST", kind: "LIFETIME" },
  { budgetId: "user", scope: "USER", subject: "u1", measure: "TOKENS", kind: "DAY" },
  { budgetId: "paid", scope: "PROVIDER", subject: "p1", measure: "COST", kind: "DAY" },
  { budgetId: "calls", scope: "MODEL", subject: "m 1", measure: "REQUESTS", kind: "DAY" },
];

const FIRST_MS = Date.UTC(2025, 11, 28);
const LAST_MS = Date.UTC(2026, 1, 3);
const QUARTER_MS = 900_000;

/** Often on the border of two buckets, or a microsecond before it. */
const createTimes = fc.oneof(
  fc.integer({ min: FIRST_MS, max: LAST_MS }).map((ms) => ms * 1_000 + 123),
  fc
    .tuple(fc.integer({ min: 0, max: (LAST_MS - FIRST_MS) / QUARTER_MS }), fc.constantFrom(0, -1))
    .map(([quarter, us]) => (FIRST_MS + quarter * QUARTER_MS) * 1_000 + us),
  fc.constantFrom(Date.UTC(2026, 0, 1) * 1_000, Date.UTC(2026, 1, 1) * 1_000 - 1),
);

const tokenCounts = fc.oneof(fc.nat({ max: 100_000 }), fc.constantFrom(0, 2 ** 40));
const amounts = fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.constantFrom(0n, 10n ** 17n));

const costs: fc.Arbitrary<CostBreakdown> = fc
  .record({
    inputNanoUsd: amounts,
    outputNanoUsd: amounts,
    cacheCreationNanoUsd: amounts,
    cacheReadNanoUsd: amounts,
    requestNanoUsd: amounts,
  })
  .map(sumParts);

const texts = (...values: string[]) => fc.constantFrom(...values);
const milliseconds = fc.option(fc.nat({ max: 600_000 }), { nil: undefined });

/** What may differ between two records; ids, versions and charges come later. */
export const recordContents = fc
  .record({
    userId: texts("u1", "u2", "", "__proto__"),
    apiKeyId: texts("k1", "k2", ""),
    provider: texts("p1", "p2"),
    model: texts("m 1", "m2", 'm"3\\'),
    apiFormat: texts("CLAUDE", "OPENAI", ""),
    status: fc.constantFrom<UsageRecord["status"][]>(
      "PENDING",
      "STREAMING",
      "COMPLETED",
      "COMPLETED",
      "COMPLETED",
      "FAILED",
    ),
    inputTokens: tokenCounts,
    outputTokens: tokenCounts,
    cacheCreationInputTokens: tokenCounts,
    cacheReadInputTokens: tokenCounts,
    cost: costs,
    actualCost: costs,
    responseTimeMs: milliseconds,
    firstByteTimeMs: milliseconds,
    createTimeUs: createTimes,
    excludeFromBudgets: fc.constantFrom(false, false, false, true),
    isRetried: fc.constantFrom(false, false, false, true),
    tags: fc.constantFrom<Record<string, string>>({}, { team: "a" }, { team: "b", 'a"\\': "=é" }),
  })
  .map(toContent);

/** Everything of a record that {@link toRecord} does not add. */
export type RecordContent = Omit<UsageRecord, "requestId" | "version" | "revision" | "charges">;

function toContent(
  drawn: Pick<
    UsageRecord,
    | "userId"
    | "apiKeyId"
    | "provider"
    | "model"
    | "apiFormat"
    | "status"
    | "cost"
    | "actualCost"
    | "responseTimeMs"
    | "firstByteTimeMs"
    | "createTimeUs"
    | "excludeFromBudgets"
    | "isRetried"
    | "tags"
  > & {
    inputTokens: number;
    outputTokens: number;
    cacheCreationInputTokens: number;
    cacheReadInputTokens: number;
  },
): RecordContent {
  const { inputTokens, outputTokens, cacheCreationInputTokens, cacheReadInputTokens, ...rest } =
    drawn;
  const isFinal = isFinished(rest.status);
  return {
    ...rest,
    tokens: normalizeTokens({
      inputTokens,
      outputTokens,
      cacheCreationInputTokens,
      cacheReadInputTokens,
      tokenConvention: "CACHE_EXCLUSIVE",
    }),
    cost: isFinal ? rest.cost : ZERO_COST,
    actualCost: isFinal ? rest.actualCost : ZERO_COST,
    targetModel: "",
    requestType: "chat",
    isStream: true,
    statusCode: rest.status === "FAILED" ? 500 : 200,
    errorMessage: "",
    providerId: "",
    providerEndpointId: "",
    providerApiKeyId: "",
    tokenConvention: "CACHE_EXCLUSIVE",
    cacheTtlMinutes: undefined,
    useTieredPricing: true,
    operationId: rest.isRetried ? "operation" : "",
    attemptNumber: undefined,
    metadata: undefined,
    rateMultiplier: "1",
    priceVersion: undefined,
    priceTierIndex: undefined,
    billingNote: "NONE",
    unknownSubjects: [],
    reservationId: "",
    openReservation: undefined,
    isSwept: false,
    fingerprint: "",
    updateTimeUs: rest.createTimeUs,
    finishTimeUs: isFinal ? rest.createTimeUs : undefined,
  };
}

/** A whole record, with what it charges to {@link TEST_BUDGETS} and to a budget that is gone. */
export function toRecord(content: RecordContent, requestId: string, version = 1n): UsageRecord {
  return { ...content, requestId, version, revision: version, charges: chargesOf(content) };
}

function chargesOf(content: RecordContent): BudgetCharge[] {
  if (!isFinished(content.status) || content.excludeFromBudgets) return [];
  const charges = TEST_BUDGETS.filter((budget) => applies(budget, content)).map((budget) => ({
    budgetId: budget.budgetId,
    periodStartMs: periodAt(
      { kind: budget.kind, timeZone: "Asia/Kathmandu" },
      content.createTimeUs / 1_000,
    ).startMs,
    amount: amountOf(budget, content),
  }));
  const gone = { budgetId: "gone", periodStartMs: 0, amount: 5n };
  return [...charges, gone].filter(({ amount }) => amount > 0n);
}

function applies({ scope, subject }: TestBudget, content: RecordContent): boolean {
  const subjects = {
    GLOBAL: "",
    USER: content.userId,
    PROVIDER: content.provider,
    MODEL: content.model,
  };
  return subjects[scope] === subject;
}

function amountOf({ measure, scope }: TestBudget, content: RecordContent): bigint {
  if (measure === "REQUESTS") return content.isRetried ? 0n : 1n;
  if (measure === "TOKENS") return BigInt(content.tokens.totalTokens);
  return (scope === "PROVIDER" ? content.actualCost : content.cost).totalNanoUsd;
}

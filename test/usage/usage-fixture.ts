/** A small catalog for tests of recording, and what they read of the database. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { BillingType, FailedRequestBilling } from "../../gen/tally/v1/catalog_pb.js";
import type { UsageInput, UsageInputSchema } from "../../gen/tally/v1/usage_pb.js";
import type { Database } from "../../src/database/database.js";
import type { DocumentInit } from "../support/app.js";
import { uniqueId } from "../support/unique-id.js";

/** A usage input as one writes it. */
export type UsageInit = Exclude<MessageInitShape<typeof UsageInputSchema>, UsageInput>;

/** Model "sonnet" everywhere: $3, $15, $3.75 and $0.30 per million tokens, $0.002 per request. */
export const SONNET = {
  inputPerToken: 3_000n,
  outputPerToken: 15_000n,
  creationPerToken: 3_750n,
  readPerToken: 300n,
  perRequest: 2_000_000n,
};

const SONNET_PRICE = {
  requestNanoUsd: SONNET.perRequest,
  tiers: [
    {
      inputNanoUsdPerMillion: 3_000_000_000n,
      outputNanoUsdPerMillion: 15_000_000_000n,
      cacheCreationNanoUsdPerMillion: 3_750_000_000n,
      cacheReadNanoUsdPerMillion: 300_000_000n,
    },
  ],
};

/** $1 per million tokens up to 1,000 of context and $2 above, at provider "acme" alone. */
const TIERED_PRICE = {
  tiers: [
    {
      upToTokens: 1_000n,
      inputNanoUsdPerMillion: 1_000_000_000n,
      outputNanoUsdPerMillion: 1_000_000_000n,
    },
    { inputNanoUsdPerMillion: 2_000_000_000n, outputNanoUsdPerMillion: 2_000_000_000n },
  ],
};

/** Prices and providers; users and budgets are for each test to make. */
export const USAGE_CATALOG: DocumentInit = {
  providers: [
    { provider: "acme" },
    { provider: "free", billingType: BillingType.FREE_TIER },
    { provider: "lenient", failedRequestBilling: FailedRequestBilling.NONE },
    { provider: "halfway", failedRequestBilling: FailedRequestBilling.PROMPT_ONLY },
    { provider: "closed", active: false },
  ],
  providerKeys: [{ providerKeyId: "cheap", provider: "acme", rateMultiplier: "0.85" }],
  models: [{ model: "sonnet" }, { model: "retired", active: false }],
  prices: [
    { model: "sonnet", price: SONNET_PRICE },
    { model: "retired", price: SONNET_PRICE },
    { model: "tiered", provider: "acme", price: TIERED_PRICE },
  ],
};

/** A small request of a user of its own, with an id of its own. */
export function usage(fields: UsageInit = {}): UsageInit & { readonly requestId: string } {
  return {
    userId: uniqueId("user"),
    provider: "acme",
    model: "sonnet",
    inputTokens: 1_000n,
    outputTokens: 100n,
    ...fields,
    requestId: fields.requestId ?? uniqueId("request"),
  };
}

/** List cost of tokens of model "sonnet" that succeeded, without cached ones. */
export function sonnetCost(inputTokens: bigint, outputTokens: bigint): bigint {
  return (
    inputTokens * SONNET.inputPerToken + outputTokens * SONNET.outputPerToken + SONNET.perRequest
  );
}

/** A moment of the contract. */
export function at(time: string): Timestamp {
  return timestampFromMs(Date.parse(time));
}

/** Lifetime sums of a subject over all lanes. */
export interface SubjectTotals {
  readonly requests: bigint;
  readonly tokens: bigint;
  readonly cost: bigint;
  readonly actualCost: bigint;
}

const KINDS = { USER: 1, API_KEY: 2, PROVIDER: 3, MODEL: 4 };

/** Zeros for a subject that was never seen. */
export async function readTotals(
  { knex }: Database,
  kind: keyof typeof KINDS,
  id: string,
): Promise<SubjectTotals> {
  const { rows } = await knex.raw(
    `select coalesce(sum(requests), 0)::bigint as requests, coalesce(sum(tokens), 0)::bigint as tokens,
      coalesce(sum(cost), 0)::bigint as cost,
      coalesce(sum(actual_cost), 0)::bigint as "actualCost"
    from subject_totals where kind = ? and id = ?`,
    [KINDS[kind], id],
  );
  return rows[0];
}

/** What a budget's period has spent; 0 for one that was never touched. */
export async function readSpent(
  { knex }: Database,
  budgetId: string,
  periodStart = "1970-01-01",
): Promise<bigint> {
  const [row] = await knex("budget_periods").where({
    budget_id: budgetId,
    period_start: `${periodStart}T00:00:00Z`,
  });
  return row?.spent ?? 0n;
}

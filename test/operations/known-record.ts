import { sumParts } from "../../src/pricing/cost-breakdown.js";
import { normalizeTokens } from "../../src/pricing/tokens.js";
import { toRecord } from "./ledger-arbitraries.js";
import { sampleRecords } from "./ledger-fixture.js";

const [sample] = sampleRecords(1, 1);

/** A record of which every figure is known, and different from the others; it charges every budget. */
export const KNOWN_RECORD = toRecord(
  {
    ...sample!,
    userId: "u1",
    apiKeyId: "k1",
    provider: "p1",
    model: "m 1",
    apiFormat: "CLAUDE",
    status: "FAILED",
    excludeFromBudgets: false,
    isRetried: false,
    operationId: "",
    tags: { team: "t1" },
    createTimeUs: Date.UTC(2026, 0, 15, 12, 20) * 1_000,
    tokens: normalizeTokens({
      inputTokens: 400,
      outputTokens: 300,
      cacheCreationInputTokens: 200,
      cacheReadInputTokens: 100,
      tokenConvention: "CACHE_EXCLUSIVE",
    }),
    cost: sumParts({
      inputNanoUsd: 1n,
      outputNanoUsd: 2n,
      cacheCreationNanoUsd: 4n,
      cacheReadNanoUsd: 8n,
      requestNanoUsd: 16n,
    }),
    actualCost: sumParts({
      inputNanoUsd: 32n,
      outputNanoUsd: 64n,
      cacheCreationNanoUsd: 128n,
      cacheReadNanoUsd: 256n,
      requestNanoUsd: 512n,
    }),
    responseTimeMs: 5_000,
    firstByteTimeMs: 700,
  },
  "known",
);

/** What the record alone adds to a rollup. */
export const KNOWN_ROLLUP: Readonly<Record<string, number>> = {
  requests: 1,
  attempts: 1,
  input_tokens: 400,
  output_tokens: 300,
  cache_creation_tokens: 200,
  cache_read_tokens: 100,
  cost_input: 1,
  cost_output: 2,
  cost_cache_creation: 4,
  cost_cache_read: 8,
  cost_request: 16,
  actual_cost: 992,
  response_time_ms_sum: 5_000,
  first_byte_time_ms_sum: 700,
};

/** Its latencies, that are kept in sketches; grain 3 has none. */
export const SKETCHES = ["response_times", "first_byte_times"] as const;

/** What the record charges to each budget. */
export const KNOWN_CHARGES: Readonly<Record<string, number>> = {
  all: 31,
  user: 1_000,
  paid: 992,
  calls: 1,
  gone: 5,
};

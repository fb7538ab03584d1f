import type { BoundedReads } from "./bounded-reads.js";
import { type BothSavings, type CachedSums, type CacheTotals, savingsOf } from "./cache-hits.js";
import { findPrices, type PriceVersionSource } from "./price-source.js";
import { CHARGED_VERSION, type RecordScope, recordConditions } from "./record-rows.js";

/** Reads what came from the prompt cache. */
export interface HitsStore {
  readHits(scope: RecordScope): Promise<CacheTotals & { readonly savings: BothSavings }>;
}

/** Makes the store. */
export function createHitsStore(reads: BoundedReads, priceVersions: PriceVersionSource): HitsStore {
  return {
    async readHits(scope) {
      const { text, values } = recordConditions(scope);
      const [totals, sums] = await reads.run(async (run) => [
        await run<CacheTotals>({ text: TOTALS + text, values }),
        await run<CachedSums>({ text: `${SUMS + text}\n  group by 1, 2, 3, 4, 5`, values }),
      ]);
      const [total] = totals;
      if (total === undefined) throw new Error("a sum without a row");
      return { ...total, savings: savingsOf(sums, await findPrices(priceVersions, sums)) };
    },
  };
}

const TOTALS = `
  select count(*) as requests,
    count(*) filter (where r.cache_read_tokens > 0) as "requestsWithHit",
    count(*) filter (where ${CHARGED_VERSION} is null) as "unpricedRequests",
    coalesce(sum(r.input_tokens), 0)::bigint as "inputTokens",
    coalesce(sum(r.cache_creation_tokens), 0)::bigint as "creationTokens",
    coalesce(sum(r.cache_read_tokens), 0)::bigint as "readTokens",
    coalesce(sum(r.cost_cache_creation), 0)::bigint as "creationCost",
    coalesce(sum(r.cost_cache_read), 0)::bigint as "readCost",
    coalesce(sum(r.actual_cache_creation + r.actual_cache_read), 0)::bigint as "actualCacheCost"
  from usage_records r
  where `;

/** What was written with several times to live counts at the price of each. */
const SUMS = `
  select ${CHARGED_VERSION} as "priceVersion", coalesce(r.price_tier_index, 0)::integer as "tierIndex",
    p.ttl_minutes as "ttlMinutes", r.rate_multiplier as "rateMultiplier",
    r.billing_note = 'FREE_TIER' as "isFree",
    sum(p.written)::bigint as "creationTokens", sum(p.read)::bigint as "readTokens"
  from usage_records r cross join lateral (
    select r.cache_ttl_minutes as ttl_minutes, r.cache_read_tokens as read,
      case when r.cache_creations is null then r.cache_creation_tokens else 0 end as written
    union all
    select (e ->> 'ttlMinutes')::integer, 0, (e ->> 'tokens')::bigint
    from jsonb_array_elements(r.cache_creations) e
  ) p
  where p.read + p.written > 0 and `;

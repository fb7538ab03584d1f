import type { Sql } from "../usage-rows.js";
import type { AffinityGroupBy } from "./cache-affinity.js";
import { CHARGED_VERSION, gapOver, type RecordScope, recordConditions } from "./record-rows.js";

const GROUP_COLUMNS: Readonly<Record<AffinityGroupBy, string>> = {
  USER: "r.user_id",
  API_KEY: "r.api_key_id",
};

/**
 * One row: `groups`, the first `limit` of them; `recommendations`, how many of all groups by time to
 * live; and `sums` of the input by group (`limit` + 1 for all groups beyond), price version and tier.
 * A cache belongs to a provider and a model, so tokens are compared with the request before of the
 * same.
 */
export function affinityQuery(scope: RecordScope, groupBy: AffinityGroupBy, limit: number): Sql {
  const group = GROUP_COLUMNS[groupBy];
  const conditions = recordConditions(scope);
  return {
    text: `
  with requests as materialized (
    select ${group} as group_id, ${CHARGED_VERSION} as price_version, r.price_tier_index,
      ${gapOver("of_group")} as gap_us,
      ${gapOver("of_model")} as model_gap_us,
      r.input_tokens, r.cache_read_tokens,
      r.cache_creation_tokens + r.cache_read_tokens as cacheable_tokens,
      lag(r.cache_creation_tokens + r.cache_read_tokens) over of_model as cached_before,
      r.cost_input + r.cost_cache_creation + r.cost_cache_read as paid
    from usage_records r
    where ${conditions.text} and ${group} <> ''
    window of_group as (partition by ${group} order by r.created_time, r.request_id),
      of_model as (partition by ${group}, r.provider, r.model
        order by r.created_time, r.request_id)
  ), intervals as (
    select group_id, count(*) as requests, count(gap_us) as intervals,
      array[count(*) filter (where gap_us <= 300000000),
        count(*) filter (where gap_us > 300000000 and gap_us <= 900000000),
        count(*) filter (where gap_us > 900000000 and gap_us <= 1800000000),
        count(*) filter (where gap_us > 1800000000 and gap_us <= 3600000000),
        count(*) filter (where gap_us > 3600000000)] as counts,
      percentile_cont(array[0.5, 0.75, 0.9]) within group (order by gap_us) as percentiles,
      min(gap_us) as min_us, max(gap_us) as max_us, sum(gap_us) as sum_us
    from requests
    group by group_id
    having count(gap_us) >= 2
  ), ranked as materialized (
    select *, row_number() over (order by requests desc, group_id) as rank,
      case when percentiles[3] <= 300000000 then 5
        when percentiles[2] <= 900000000 then 15
        when percentiles[2] <= 1800000000 then 30
        else 60 end as ttl
    from intervals
  ), sums as (
    select least(k.rank, ? + 1) as rank, q.price_version::text as price_version,
      coalesce(q.price_tier_index, 0) as tier_index, count(*) as requests,
      sum(q.input_tokens)::text as input_tokens,
      sum(q.cacheable_tokens)::text as cacheable_tokens,
      sum(q.cache_read_tokens) filter (where q.model_gap_us <= 300000000)::text as read_5_minutes,
      sum(case when q.model_gap_us <= 300000000 then q.cache_read_tokens
        when q.model_gap_us <= 3600000000
          then greatest(q.cache_read_tokens, least(q.cacheable_tokens, q.cached_before))
        end)::text as read_1_hour,
      sum(q.paid)::text as paid
    from requests q join ranked k on k.group_id = q.group_id
    group by 1, 2, 3
  )
  select
    (select json_agg(k order by k.rank) from ranked k where k.rank <= ?) as groups,
    (select json_object_agg(t.ttl, t.n) from (
      select ttl, count(*) as n from ranked group by ttl) t) as recommendations,
    (select json_agg(s) from sums s) as sums`,
    values: [...conditions.values, limit, limit],
  };
}

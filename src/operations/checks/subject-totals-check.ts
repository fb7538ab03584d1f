import { IS_FINISHED, type LedgerCheck } from "./ledger-check.js";

/**
 * Lifetime sums of users, API keys, providers and models, over all slots. last_used_time must
 * not lie before the last record; a revision that moves the last record back leaves it. The books
 * of purged records are added to the records.
 *
 * Records are first added up by all four subjects together, of which there are far fewer than
 * records. Sums stay in bigint, as they do where they are posted.
 */
export const subjectTotals: LedgerCheck = {
  name: "subject_totals",
  sql: `
    with grouped as (
      select user_id, api_key_id, provider, model, count(*) as requests,
        sum_bigint(input_tokens + output_tokens + cache_creation_tokens + cache_read_tokens)
          as tokens,
        sum_bigint(cost_input + cost_output + cost_cache_creation + cost_cache_read
          + cost_request) as cost,
        sum_bigint(actual_input + actual_output + actual_cache_creation + actual_cache_read
          + actual_request) as actual_cost,
        max(created_time) as last_used_time
      from usage_records
      where ${IS_FINISHED}
      group by user_id, api_key_id, provider, model
    ), recomputed as (
      select kind, id, sum(requests) as requests, sum(tokens) as tokens, sum(cost) as cost,
        sum(actual_cost) as actual_cost, max(last_used_time) as last_used_time
      from (
        select s.kind, s.id, g.requests, g.tokens, g.cost, g.actual_cost, g.last_used_time
        from grouped g
        cross join lateral (values
          (1, g.user_id), (2, g.api_key_id), (3, g.provider), (4, g.model)) s (kind, id)
        where s.id <> ''
        union all
        select kind, id, requests, tokens, cost, actual_cost, last_used_time
        from tally_purged.subject_totals
      ) figures
      group by kind, id
    ), stored as (
      select kind::integer as kind, id, sum(requests) as requests, sum(tokens) as tokens,
        sum(cost) as cost, sum(actual_cost) as actual_cost, max(last_used_time) as last_used_time
      from subject_totals
      group by kind, id
    )
    select coalesce((array['user', 'API key', 'provider', 'model'])[kind], 'kind ' || kind)
        || ' ' || id as subject,
      f.figure, f.stored, f.recomputed
    from stored s
    full join recomputed n using (kind, id)
    cross join lateral (values
      ('requests', coalesce(s.requests, 0)::text, coalesce(n.requests, 0)::text),
      ('tokens', coalesce(s.tokens, 0)::text, coalesce(n.tokens, 0)::text),
      ('cost_nano_usd', coalesce(s.cost, 0)::text, coalesce(n.cost, 0)::text),
      ('actual_cost_nano_usd', coalesce(s.actual_cost, 0)::text,
        coalesce(n.actual_cost, 0)::text),
      ('last_used_time', coalesce(s.last_used_time::text, 'none'),
        greatest(s.last_used_time, n.last_used_time)::text)
    ) f (figure, stored, recomputed)
    where f.stored <> f.recomputed`,
};

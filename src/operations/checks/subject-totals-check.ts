import { IS_FINISHED, type LedgerCheck } from "./ledger-check.js";

/**
 * When a user, API key, provider or model was last used: not before its last record. A revision that
 * moves the last record back leaves it. Their lifetime sums are sums of rollups, which have a check
 * of their own.
 *
 * Records are first grouped by all four subjects together, of which there are far fewer than records.
 */
export const subjectTotals: LedgerCheck = {
  name: "subject_totals",
  sql: `
    with grouped as (
      select user_id, api_key_id, provider, model, max(created_time) as last_used_time
      from usage_records
      where ${IS_FINISHED}
      group by user_id, api_key_id, provider, model
    ), recomputed as (
      select s.kind, s.id, max(g.last_used_time) as last_used_time
      from grouped g
      cross join lateral (values
        (1, g.user_id), (2, g.api_key_id), (3, g.provider), (4, g.model)) s (kind, id)
      where s.id <> ''
      group by s.kind, s.id
    )
    select (array['user', 'API key', 'provider', 'model'])[kind] || ' ' || id as subject,
      'last_used_time' as figure, coalesce(s.last_used_time::text, 'none') as stored,
      n.last_used_time::text as recomputed
    from recomputed n
    left join subject_totals s using (kind, id)
    where coalesce(s.last_used_time < n.last_used_time, true)`,
};

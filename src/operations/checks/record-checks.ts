import { IS_FINISHED, type LedgerCheck } from "./ledger-check.js";

/**
 * Every record is found by its key. A key may outlive its record, but a record without its key,
 * or with one that points to another time, could be recorded a second time.
 */
export const recordKeys: LedgerCheck = {
  name: "record",
  sql: `
    select r.request_id as subject, 'key_created_time' as figure,
      coalesce(k.created_time::text, 'none') as stored, r.created_time::text as recomputed
    from usage_records r
    left join usage_keys k on k.request_id = r.request_id
    where k.created_time is distinct from r.created_time`,
};

/**
 * Every charge is what the record used, in the measure of its budget: the actual cost for a
 * provider's budget, the list cost for any other; nothing when the record is unfinished or
 * excluded. The charges of a budget that is gone cannot be judged.
 */
export const recordCharges: LedgerCheck = {
  name: "record",
  sql: `
    select c.request_id as subject, 'charge of ' || c.budget_id as figure,
      c.amount::text as stored, c.due::text as recomputed
    from (
      select r.request_id, x.budget_id, x.amount,
        case
          when not ${IS_FINISHED} or r.exclude_from_budgets then 0
          when b.measure = 'REQUESTS' then (not r.is_retried)::integer
          when b.measure = 'TOKENS' then r.input_tokens::numeric + r.output_tokens
            + r.cache_creation_tokens + r.cache_read_tokens
          when b.scope = 'PROVIDER' then r.actual_input::numeric + r.actual_output
            + r.actual_cache_creation + r.actual_cache_read + r.actual_request
          when b.measure = 'COST' then r.cost_input::numeric + r.cost_output
            + r.cost_cache_creation + r.cost_cache_read + r.cost_request
          else x.amount
        end as due
      from usage_records r
      cross join lateral (
        select budget_id, sum(amount) as amount
        from jsonb_to_recordset(r.charges) as charge (budget_id text, amount numeric)
        group by budget_id
      ) x
      left join budgets b on b.budget_id = x.budget_id
      where r.charges is not null
    ) c
    where c.amount <> c.due`,
};

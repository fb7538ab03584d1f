import { IS_FINISHED, type LedgerCheck } from "./ledger-check.js";

/**
 * What a period has spent is what the finished records charged to it, purged ones included, less what
 * resets forgave.
 */
export const budgetSpent: LedgerCheck = {
  name: "budget_spent",
  sql: `
    with recomputed as (
      select budget_id, period_start, sum(amount) as spent
      from (
        select c.budget_id, c.period_start, c.amount
        from usage_records r
        cross join lateral jsonb_to_recordset(r.charges) as c (
          budget_id text, period_start timestamptz, amount numeric)
        where r.${IS_FINISHED}
        union all
        select budget_id, period_start, amount from purged_charges
        union all
        select budget_id, period_start, amount from budget_adjustments where kind = 'RESET'
      ) moved
      group by budget_id, period_start
    )
    select budget_id || ' from ' || period_start as subject, 'spent' as figure,
      coalesce(p.spent, 0)::text as stored, coalesce(n.spent, 0)::text as recomputed
    from budget_periods p
    full join recomputed n using (budget_id, period_start)
    where coalesce(p.spent, 0) <> coalesce(n.spent, 0)`,
};

/** What a period has lent out is what its leases hold. */
export const budgetLeased: LedgerCheck = {
  name: "budget_leased",
  sql: `
    with recomputed as (
      select budget_id, period_start, sum(amount) as leased
      from budget_leases
      group by budget_id, period_start
    )
    select budget_id || ' from ' || period_start as subject, 'leased' as figure,
      coalesce(p.leased, 0)::text as stored, coalesce(n.leased, 0)::text as recomputed
    from budget_periods p
    full join recomputed n using (budget_id, period_start)
    where coalesce(p.leased, 0) <> coalesce(n.leased, 0)`,
};

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Analytics,
  SummaryPeriod,
  UsageDimension,
  UsageMeasure,
} from "../gen/tally/v1/analytics_pb.js";
import type { GrpcClient } from "../src/client/grpc-client.js";

/** What both ways of asking must agree on. */
export interface Answer {
  /** Records, each attempt by itself. */
  readonly requests: bigint;
  readonly costNanoUsd: bigint;
}

/** A question, by RPC and by plain SQL over the records. */
export interface Question {
  readonly name: string;
  /** Whether the answer is made of a few records only, which an index finds fast, too. */
  readonly isNarrow?: boolean;
  /** Done before each asking, and not measured. */
  prepare?(client: GrpcClient<typeof Analytics>): Promise<unknown>;
  ask(client: GrpcClient<typeof Analytics>): Promise<Answer>;
  /** Rows with requests and cost, among others, which add up to the answer. */
  readonly sql: string;
}

const DAY_MS = 86_400_000;

const FIGURES = `count(*) as requests, count(*) filter (where status = 'FAILED') as failures,
  sum(input_tokens) as input, sum(output_tokens) as output, sum(cache_read_tokens) as read,
  sum(cache_creation_tokens) as created,
  sum(cost_input + cost_output + cost_cache_creation + cost_cache_read + cost_request) as cost`;
const PERCENTILES = `percentile_cont(array[0.5, 0.95, 0.99]) within group (order by response_time_ms),
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by first_byte_time_ms)`;

/** The questions of a dashboard, about time that ends with the history. */
export function questions(endMs: number): Question[] {
  const last = (days: number) => ({
    startTime: timestampFromMs(endMs - days * DAY_MS),
    endTime: timestampFromMs(endMs),
  });
  const within = (days: number) => `created_time >= '${iso(endMs - days * DAY_MS)}'
    and created_time < '${iso(endMs)}' and status in ('COMPLETED', 'FAILED')`;
  return [
    {
      name: "GetUsageSummary, a year by month, provider and model",
      ask: (client) =>
        client.getUsageSummary({ ...last(364), groupBy: SummaryPeriod.MONTH }).then(totalOf),
      sql: `select date_trunc('month', created_time, 'UTC'), provider, model, ${FIGURES}, ${PERCENTILES}
        from usage_records where ${within(364)} group by 1, 2, 3`,
    },
    {
      name: "GetUsageSummary, 30 days by day in Asia/Kathmandu, provider and model",
      ask: (client) =>
        client
          .getUsageSummary({
            ...last(30),
            groupBy: SummaryPeriod.DAY,
            timeZone: "Asia/Kathmandu",
          })
          .then(totalOf),
      sql: `select date_trunc('day', created_time, 'Asia/Kathmandu'), provider, model, ${FIGURES},
        ${PERCENTILES} from usage_records where ${within(30)} group by 1, 2, 3`,
    },
    {
      name: "GetUsageSummary, 90 days of one user by week",
      isNarrow: true,
      ask: (client) =>
        client
          .getUsageSummary({ ...last(90), groupBy: SummaryPeriod.WEEK, userId: "user-0001" })
          .then(totalOf),
      sql: `select date_trunc('week', created_time, 'UTC'), provider, model, ${FIGURES}, ${PERCENTILES}
        from usage_records where ${within(90)} and user_id = 'user-0001' group by 1, 2, 3`,
    },
    ...breakdowns(last, within),
    {
      name: "GetDailyActivity, a year, not cached",
      prepare: (client) => client.invalidateActivityCache({ scope: { case: "all", value: true } }),
      ask: async (client) => {
        const { days } = await client.getDailyActivity({ windowDays: 366 });
        return addUp(days, (day) => day);
      },
      sql: `select date_trunc('day', created_time, 'UTC'), ${FIGURES}
        from usage_records where status in ('COMPLETED', 'FAILED') group by 1`,
    },
    topUsers("a year by cost", last(364), within(364), UsageMeasure.COST),
    topUsers("30 days by tokens", last(30), within(30), UsageMeasure.TOKENS),
  ];
}

function breakdowns(last: (days: number) => object, within: (days: number) => string): Question[] {
  const breakdown = (days: number, dimension: UsageDimension) => ({
    ask: (client: GrpcClient<typeof Analytics>) =>
      client.getBreakdown({ ...last(days), dimension }).then(totalOf),
  });
  return [
    {
      name: "GetBreakdown, a year by user",
      ...breakdown(364, UsageDimension.USER),
      sql: `select user_id, ${FIGURES}, ${PERCENTILES}
        from usage_records where ${within(364)} group by 1 order by cost desc`,
    },
    {
      name: "GetBreakdown, a year by tag",
      ...breakdown(364, UsageDimension.TAG),
      // Each record has the tag of its team, so that those are what add up to all.
      sql: `select tags.*, requests * (key = 'team')::int as requests, cost * (key = 'team')::int as cost
        from (
          select key, value, ${FIGURES}, ${PERCENTILES}
          from usage_records cross join jsonb_each_text(tags) where ${within(364)}
          group by 1, 2
        ) tags order by tags.cost desc`,
    },
    {
      name: "GetBreakdown, 30 days by model",
      ...breakdown(30, UsageDimension.MODEL),
      sql: `select model, ${FIGURES}, ${PERCENTILES}
        from usage_records where ${within(30)} group by 1 order by cost desc`,
    },
  ];
}

/** All users are asked for, so that the answers can be compared. */
function topUsers(name: string, range: object, within: string, orderBy: UsageMeasure): Question {
  return {
    name: `GetTopUsers, ${name}`,
    ask: async (client) => {
      const { users } = await client.getTopUsers({ ...range, orderBy, limit: 1_000 });
      return addUp(users, (user) => user);
    },
    sql: `select user_id, ${FIGURES} from usage_records where ${within} group by 1
      order by cost desc limit 1000`,
  };
}

interface WithTotal {
  readonly total?:
    | { readonly attempts: bigint; readonly cost?: { readonly totalNanoUsd: bigint } | undefined }
    | undefined;
}

function totalOf({ total }: WithTotal): Answer {
  return { requests: total?.attempts ?? 0n, costNanoUsd: total?.cost?.totalNanoUsd ?? 0n };
}

function addUp<T>(rows: readonly T[], answerOf: (row: T) => Answer): Answer {
  let sum: Answer = { requests: 0n, costNanoUsd: 0n };
  for (const row of rows.map(answerOf)) {
    sum = {
      requests: sum.requests + row.requests,
      costNanoUsd: sum.costNanoUsd + row.costNanoUsd,
    };
  }
  return sum;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

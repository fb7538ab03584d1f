import type { Sql } from "../usage-rows.js";
import type { BoundedReads, Query } from "./bounded-reads.js";
import { shareOut } from "./fair-shares.js";
import { gapOver, type RecordScope, recordConditions } from "./record-rows.js";

/** A request that came soon after the one before of its user. */
export interface IntervalPoint {
  /** Microseconds since 1970. */
  readonly timeUs: number;
  readonly gapUs: number;
  readonly userId: string;
  readonly model: string;
}

/** Points, the oldest first. */
export interface Timeline {
  readonly points: readonly IntervalPoint[];
  /** How many there are altogether. */
  readonly totalPoints: number;
  /** Users without a point, for there are more users than points were asked for. */
  readonly leftOutUsers: number;
}

/** Reads intervals between the requests of each user. */
export interface TimelineStore {
  /** At most `limit` points; of more than there are, a fair choice. */
  readTimeline(scope: RecordScope, limit: number): Promise<Timeline>;
}

/** Makes the store. */
export function createTimelineStore(reads: BoundedReads): TimelineStore {
  return {
    readTimeline: (scope, limit) =>
      reads.run(async (run) => {
        const points = pointsOf(scope);
        const all = await readPoints(run, {
          text: `${points.text} select * from points order by time, request_id limit ?`,
          values: [...points.values, limit + 1],
        });
        if (all.length <= limit) {
          return { points: all, totalPoints: all.length, leftOutUsers: 0 };
        }
        return readSample(run, points, limit);
      }),
  };
}

/** Numbers each user's points from 1 and takes those where its share passes the next whole number. */
async function readSample(run: Query, points: Sql, limit: number): Promise<Timeline> {
  const counts = await run<CountRow>({
    text: `${points.text}
  select user_id as "userId", count(*)::text as points, (sum(count(*)) over ())::text as "totalPoints",
    (count(*) over ())::text as "totalUsers"
  from points group by user_id order by count(*) desc, user_id limit ?`,
    values: [...points.values, limit],
  });
  const sizes = counts.map((row) => Number(row.points));
  const sample = await readPoints(run, {
    text: `${points.text}
  select p.time, p.gap_us, p.user_id, p.model
  from (
    select *, row_number() over (partition by user_id order by time, request_id) as place
    from points
  ) p
  join unnest(?::text[], ?::bigint[], ?::bigint[]) as c (user_id, size, share)
    on c.user_id = p.user_id
  where (2 * p.place * c.share + c.size) / (2 * c.size)
    > (2 * (p.place - 1) * c.share + c.size) / (2 * c.size)
  order by p.time, p.request_id`,
    values: [...points.values, counts.map(({ userId }) => userId), sizes, shareOut(sizes, limit)],
  });
  return {
    points: sample,
    totalPoints: Number(counts[0]?.totalPoints ?? 0),
    leftOutUsers: Number(counts[0]?.totalUsers ?? 0) - counts.length,
  };
}

interface CountRow {
  readonly userId: string;
  readonly points: string;
  readonly totalPoints: string;
  readonly totalUsers: string;
}

/** The longest interval that makes a point: 120 minutes. */
const MAX_GAP_US = 7_200_000_000;

function pointsOf(scope: RecordScope): Sql {
  const { text, values } = recordConditions(scope);
  return {
    text: `
  with requests as (
    select r.user_id, r.model, r.request_id,
      (extract(epoch from r.created_time) * 1000000)::bigint as time,
      ${gapOver("of_user")} as gap_us
    from usage_records r
    where ${text} and r.user_id <> ''
    window of_user as (partition by r.user_id order by r.created_time, r.request_id)
  ), points as (
    select * from requests where gap_us <= ${MAX_GAP_US}
  )`,
    values,
  };
}

interface PointRow {
  readonly time: bigint;
  readonly gap_us: bigint;
  readonly user_id: string;
  readonly model: string;
}

async function readPoints(run: Query, sql: Sql): Promise<IntervalPoint[]> {
  const rows = await run<PointRow>(sql);
  return rows.map((row) => ({
    timeUs: Number(row.time),
    gapUs: Number(row.gap_us),
    userId: row.user_id,
    model: row.model,
  }));
}

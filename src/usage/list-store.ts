import type { Database } from "../database/database.js";
import { withRetry } from "../database/retry.js";
import type { PageCursor } from "./page-token.js";
import { fromRecordRow, RECORD_COLUMNS, type RecordRow } from "./record-row.js";
import { formatMicroseconds } from "./time.js";
import { isByCost, type UsageFilter, type UsageOrder } from "./usage-filter.js";
import type { UsageRecord } from "./usage-record.js";

/** One page to read. */
export interface PageRequest {
  readonly filter: UsageFilter;
  readonly order: UsageOrder;
  /** Where the page before ended. Undefined: from the beginning. */
  readonly after: PageCursor | undefined;
  /** Most records of the page, at least 1. */
  readonly limit: number;
}

/** One page. */
export interface UsagePage {
  readonly records: readonly UsageRecord[];
  /** Where the next page goes on. Undefined: there is none. */
  readonly next: PageCursor | undefined;
}

/** Lists records, page by page, by their keys: a page costs the same however far it is. */
export interface ListStore {
  list(request: PageRequest): Promise<UsagePage>;
}

/**
 * Most records that one page looks at in the order of time, in search of those that pass filters
 * without an index; a page that found fewer than it may show says where the next one goes on.
 */
const SCAN_LIMIT = 20_000;

/** Makes the store. @param scanLimit - for tests */
export function createListStore(database: Database, scanLimit = SCAN_LIMIT): ListStore {
  async function query(sql: Sql): Promise<Record<string, unknown>[]> {
    const { rows } = await withRetry(() =>
      database.knex.raw(sql.text, [...sql.bindings] as string[]),
    );
    return rows;
  }

  /** Where the scan of a page ended that found too little; undefined: there is nothing further. */
  async function endOfScan(scan: Sql): Promise<PageCursor | undefined> {
    const [row] = await query({
      text: `select request_id,
          (extract(epoch from created_time) * 1000000)::bigint::text as created_us
        from (${scan.text}) r offset ? limit 1`,
      bindings: [...scan.bindings, scanLimit - 1],
    });
    if (row === undefined) return undefined;
    const { created_us: createTimeUs, request_id: requestId } = row as Record<string, string>;
    return { createTimeUs: Number(createTimeUs), requestId: requestId!, costNanoUsd: 0n };
  }

  return {
    async list(request) {
      const { order, limit } = request;
      const scan = isByCost(order) ? inRange(request) : inOrderOfTime(request, scanLimit);
      const rows = await query(pageOf(scan, request));
      const records = (rows as unknown as RecordRow[]).slice(0, limit).map(fromRecordRow);
      if (rows.length > limit) return { records, next: cursorOf(records.at(-1)!) };
      return { records, next: isByCost(order) ? undefined : await endOfScan(scan) };
    },
  };
}

/** Text of a statement, or of a part, with what it binds. */
interface Sql {
  readonly text: string;
  readonly bindings: readonly (string | number | readonly string[])[];
}

type Condition = readonly [text: string, ...bindings: Sql["bindings"]];

const COST =
  "(r.cost_input + r.cost_output + r.cost_cache_creation + r.cost_cache_read + r.cost_request)";

function cursorOf({ createTimeUs, requestId, cost }: UsageRecord): PageCursor {
  return { createTimeUs, requestId, costNanoUsd: cost.totalNanoUsd };
}

/** Of what was scanned, the records that pass every filter, and one more than the page may show. */
function pageOf(scan: Sql, { filter, order, after, limit }: PageRequest): Sql {
  const conditions = [
    ...valueConditions(filter),
    ...(isByCost(order) ? afterCost(order, after) : []),
  ];
  const keys = [...(isByCost(order) ? [COST] : []), "r.created_time", "r.request_id"];
  const { text, bindings } = where(conditions);
  return {
    text: `select ${RECORD_COLUMNS} from (${scan.text}) r ${text}
      order by ${keys.map((key) => `${key} ${direction(order)}`).join(", ")} limit ?`,
    bindings: [...scan.bindings, ...bindings, limit + 1],
  };
}

/** So many records in the order of time, by an index: of the user, of the key, or of all. */
function inOrderOfTime({ filter, order, after }: PageRequest, scanLimit: number): Sql {
  const conditions = [...indexConditions(filter), ...afterTime(order, after)];
  const { text, bindings } = where(conditions);
  const way = direction(order);
  return {
    text: `select * from usage_records r ${text}
      order by r.created_time ${way}, r.request_id ${way} limit ?`,
    bindings: [...bindings, scanLimit],
  };
}

/** All records of a range of time, which the caller keeps short. */
function inRange({ filter }: PageRequest): Sql {
  const { text, bindings } = where(indexConditions(filter));
  return { text: `select * from usage_records r ${text}`, bindings };
}

function where(conditions: readonly Condition[]): Sql {
  if (conditions.length === 0) return { text: "", bindings: [] };
  return {
    text: `where ${conditions.map(([text]) => text).join(" and ")}`,
    bindings: conditions.flatMap(([, ...bindings]) => bindings),
  };
}

function indexConditions(filter: UsageFilter): Condition[] {
  const { userId, apiKeyId, statuses, startTimeUs, endTimeUs } = filter;
  const isActiveOnly =
    statuses.length > 0 &&
    statuses.every((status) => status === "PENDING" || status === "STREAMING");
  const conditions: Condition[] = [];
  if (userId !== "") conditions.push(["r.user_id = ?", userId]);
  else if (apiKeyId !== "") conditions.push(["r.api_key_id = ?", apiKeyId]);
  if (isActiveOnly) conditions.push(["r.status in ('PENDING', 'STREAMING')"]);
  if (startTimeUs !== undefined) {
    conditions.push(["r.created_time >= ?", formatMicroseconds(startTimeUs)]);
  }
  if (endTimeUs !== undefined) {
    conditions.push(["r.created_time < ?", formatMicroseconds(endTimeUs)]);
  }
  return conditions;
}

function valueConditions(filter: UsageFilter): Condition[] {
  const { apiKeyId, provider, model, apiFormat, statuses, minCostNanoUsd } = filter;
  const conditions: Condition[] = [];
  if (apiKeyId !== "") conditions.push(["r.api_key_id = ?", apiKeyId]);
  if (provider !== "") conditions.push(["r.provider = ?", provider]);
  if (model !== "") conditions.push(["r.model = ?", model]);
  if (apiFormat !== "") conditions.push(["r.api_format = ?", apiFormat]);
  if (statuses.length > 0) conditions.push(["r.status = any(?)", statuses]);
  if (minCostNanoUsd !== undefined) {
    conditions.push([`${COST} >= ?::bigint`, minCostNanoUsd.toString()]);
  }
  return conditions;
}

/** The first comparison says less than the second, but only by it are other months left out. */
function afterTime(order: UsageOrder, after: PageCursor | undefined): Condition[] {
  if (!after) return [];
  const time = formatMicroseconds(after.createTimeUs);
  const sign = direction(order) === "desc" ? "<" : ">";
  return [
    [`r.created_time ${sign}= ?`, time],
    [`(r.created_time, r.request_id) ${sign} (?, ?)`, time, after.requestId],
  ];
}

function afterCost(order: UsageOrder, after: PageCursor | undefined): Condition[] {
  if (!after) return [];
  const sign = direction(order) === "desc" ? "<" : ">";
  return [
    [
      `(${COST}, r.created_time, r.request_id) ${sign} (?::bigint, ?::timestamptz, ?)`,
      after.costNanoUsd.toString(),
      formatMicroseconds(after.createTimeUs),
      after.requestId,
    ],
  ];
}

function direction(order: UsageOrder): "asc" | "desc" {
  return order.endsWith("ASC") ? "asc" : "desc";
}

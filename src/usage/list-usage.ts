import { type DomainError, invalidField } from "../errors.js";
import type { ListStore } from "./list-store.js";
import { decodePageToken, encodePageToken } from "./page-token.js";
import { isByCost, type UsageFilter, type UsageOrder } from "./usage-filter.js";
import type { UsageRecord } from "./usage-record.js";

/** What is listed. */
export interface ListQuery {
  readonly filter: UsageFilter;
  readonly order: UsageOrder;
  /** Most records of the page, at least 1. */
  readonly pageSize: number;
  /** Of the page before, or "". */
  readonly pageToken: string;
}

/** One page of a list. */
export interface ListedUsage {
  readonly records: readonly UsageRecord[];
  /** "" after the last page. */
  readonly nextPageToken: string;
}

const DAY_US = 24 * 3600 * 1_000_000;
const MAX_DAYS_BY_COST = 31;

/**
 * One page of records.
 *
 * @throws DomainError INVALID_FIELD for a token of another question, for a range that is none, and
 * for one that is too long to be sorted by cost
 */
export async function listUsage(
  store: ListStore,
  { filter, order, pageSize: limit, pageToken }: ListQuery,
  nowUs: number,
): Promise<ListedUsage> {
  const { startTimeUs, endTimeUs } = filter;
  if (startTimeUs !== undefined && endTimeUs !== undefined && endTimeUs <= startTimeUs) {
    throw invalidField("end_time", show(endTimeUs), "must be after start_time");
  }
  if (isByCost(order)) assertShort(filter, nowUs);
  const minCost = filter.minCostNanoUsd?.toString();
  const question = [
    order,
    { ...filter, minCostNanoUsd: minCost, statuses: [...filter.statuses].sort() },
  ];
  const after = pageToken === "" ? undefined : decodePageToken(pageToken, question);
  if (pageToken !== "" && !after) throw wrongToken(pageToken);
  const { records, next } = await store.list({ filter, order, after, limit });
  return { records, nextPageToken: next ? encodePageToken(next, question) : "" };
}

/** There is no index by cost: all of the range is read. */
function assertShort({ startTimeUs, endTimeUs }: UsageFilter, nowUs: number): void {
  const rule = `is required to order by cost, at most ${MAX_DAYS_BY_COST} days before end_time`;
  if (startTimeUs === undefined) throw invalidField("start_time", undefined, rule);
  if ((endTimeUs ?? nowUs) - startTimeUs > MAX_DAYS_BY_COST * DAY_US) {
    throw invalidField("start_time", show(startTimeUs), rule);
  }
}

function wrongToken(token: string): DomainError {
  const rule = "must be the next_page_token of an answer to the same filters and order";
  return invalidField("page_token", token, rule);
}

function show(timeUs: number): string {
  return new Date(timeUs / 1_000).toISOString();
}

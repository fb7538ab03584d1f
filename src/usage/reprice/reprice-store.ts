import { type LockedConnection, tryAdvisoryLock } from "../../database/advisory-lock.js";
import type { Database } from "../../database/database.js";
import { fromRecordRow, RECORD_COLUMNS, type RecordRow } from "../record-row.js";
import { formatMicroseconds } from "../time.js";
import type { UsageRecord } from "../usage-record.js";
import { replacedJson, type UsageReplacement } from "../usage-store.js";
import type { ModelDifference, RepriceCounts } from "./reprice-result.js";

/** Which records are priced anew, and how: what was asked for. Texts are "" where nothing was. */
export interface RepriceParameters {
  /** Arrived from this moment on, microseconds since 1970. */
  readonly startUs: number;
  /** Arrived before, microseconds since 1970. */
  readonly endUs: number;
  readonly model: string;
  readonly provider: string;
  readonly userId: string;
  readonly apiKeyId: string;
  readonly onlyUnpriced: boolean;
  readonly useCurrentRateMultipliers: boolean;
}

/** The last record that was done. */
export interface RepricePosition {
  /** A timestamp as PostgreSQL reads it. */
  readonly time: string;
  readonly requestId: string;
}

/** Before every record. */
export const REPRICE_START: RepricePosition = { time: "-infinity", requestId: "" };

/** A repricing as it was left. */
export interface RepriceState {
  /** Whether it was begun with these parameters. */
  readonly isSameRequest: boolean;
  readonly isDone: boolean;
  readonly position: RepricePosition;
  readonly counts: RepriceCounts;
}

/** One step of a repricing. */
export interface RepriceStep {
  readonly requestId: string;
  readonly from: RepricePosition;
  readonly to: RepricePosition;
  /** With this step. */
  readonly counts: RepriceCounts;
  readonly replacements: readonly UsageReplacement[];
}

/** The one repricing that is under way in the whole installation. */
export interface RepriceSession {
  /** Begins one, or finds what is there under the id. */
  begin(
    requestId: string,
    parameters: RepriceParameters,
    requestedBy: string,
  ): Promise<RepriceState>;
  /** Reads as `RepriceStore.readPage`. */
  readPage: RepriceStore["readPage"];
  /** @returns false when a record has changed since it was read; nothing was written then */
  step(step: RepriceStep): Promise<boolean>;
  finish(requestId: string): Promise<void>;
  /** Lets another repricing begin. */
  close(): Promise<void>;
}

/** Reads records and writes repricings. */
export interface RepriceStore {
  /** Finished records that pass the filters, after the position, in the order of their arrival. */
  readPage(
    parameters: RepriceParameters,
    after: RepricePosition,
    limit: number,
  ): Promise<UsageRecord[]>;
  /** @returns undefined while another repricing is under way */
  open(): Promise<RepriceSession | undefined>;
}

/** Rollups and totals have rows of their own for repricing, so that no lane waits for it. */
const LANE = 1_000;

/** Makes the store over the functions of migration 0010. */
export function createRepriceStore(database: Pick<Database, "knex">): RepriceStore {
  const query: LockedConnection["query"] = async (sql, bindings = []) =>
    (await database.knex.raw(sql, [...bindings])).rows;
  return {
    readPage: (parameters, after, limit) => readPage(query, parameters, after, limit),
    async open() {
      const connection = await tryAdvisoryLock(database, "tally reprice");
      return connection && createSession(connection);
    },
  };
}

function createSession({ query, release }: LockedConnection): RepriceSession {
  return {
    close: release,
    readPage: (parameters, after, limit) => readPage(query, parameters, after, limit),
    async begin(requestId, parameters, requestedBy) {
      const json = parametersJson(parameters);
      await query("select begin_reprice(?, ?::jsonb, ?)", [requestId, json, requestedBy]);
      const [row] = await query<RepriceRow>(READ_REPRICE, [json, requestId]);
      return fromRepriceRow(row!);
    },
    async step({ requestId, from, to, counts, replacements }) {
      const written = replacements.length === 0 ? [null, null, null] : replacedJson(replacements);
      const [row] = await query<{ done: boolean }>(
        "select reprice_step(?, ?, ?, ?::json, ?::json, ?::json, ?::json, ?::smallint) as done",
        [requestId, from.time, from.requestId, progressJson(to, counts), ...written, LANE],
      );
      return row!.done;
    },
    async finish(requestId) {
      await query("update reprices set end_time = clock_timestamp() where request_id = ?", [
        requestId,
      ]);
    },
  };
}

async function readPage(
  query: LockedConnection["query"],
  parameters: RepriceParameters,
  after: RepricePosition,
  limit: number,
): Promise<UsageRecord[]> {
  const filters = Object.entries({
    model: parameters.model,
    provider: parameters.provider,
    user_id: parameters.userId,
    api_key_id: parameters.apiKeyId,
  }).filter(([, value]) => value !== "");
  const rows = await query<RecordRow>(
    `select ${RECORD_COLUMNS} from usage_records r
    where r.status in ('COMPLETED', 'FAILED') and r.created_time >= ? and r.created_time < ?
      and r.created_time >= ? and (r.created_time, r.request_id) > (?, ? collate "C")
      ${filters.map(([column]) => `and r.${column} = ?`).join(" ")}
      ${parameters.onlyUnpriced ? "and r.price_version is null" : ""}
    order by r.created_time, r.request_id
    limit ?`,
    [
      formatMicroseconds(parameters.startUs),
      formatMicroseconds(parameters.endUs),
      after.time,
      after.time,
      after.requestId,
      ...filters.map(([, value]) => value),
      limit,
    ],
  );
  return rows.map(fromRecordRow);
}

/** The request, as people read it in the logs. */
function parametersJson(parameters: RepriceParameters): string {
  return JSON.stringify({
    start_time: formatMicroseconds(parameters.startUs),
    end_time: formatMicroseconds(parameters.endUs),
    model: parameters.model,
    provider: parameters.provider,
    user_id: parameters.userId,
    api_key_id: parameters.apiKeyId,
    only_unpriced: parameters.onlyUnpriced,
    use_current_rate_multipliers: parameters.useCurrentRateMultipliers,
  });
}

/** What the columns hold of a model's difference: bigint as decimal text. */
interface DifferenceJson {
  readonly changed_records: number;
  readonly cost_before: string;
  readonly cost_after: string;
  readonly actual_before: string;
  readonly actual_after: string;
}

interface RepriceRow {
  readonly same_request: boolean;
  readonly done: boolean;
  readonly position_time: string;
  readonly position_id: string;
  readonly records: bigint;
  readonly changed_records: bigint;
  readonly unpriced_records: bigint;
  readonly models: Readonly<Record<string, DifferenceJson>>;
}

const READ_REPRICE = `
  select parameters = ?::jsonb as same_request, end_time is not null as done,
    position_time::text, position_id, records, changed_records, unpriced_records, models
  from reprices where request_id = ?`;

function fromRepriceRow(row: RepriceRow): RepriceState {
  return {
    isSameRequest: row.same_request,
    isDone: row.done,
    position: { time: row.position_time, requestId: row.position_id },
    counts: {
      records: Number(row.records),
      changedRecords: Number(row.changed_records),
      unpricedRecords: Number(row.unpriced_records),
      models: new Map(
        Object.entries(row.models).map(([model, json]) => [model, fromDifferenceJson(json)]),
      ),
    },
  };
}

function progressJson(to: RepricePosition, counts: RepriceCounts): string {
  const models = [...counts.models].map(
    ([model, sums]) => [model, toDifferenceJson(sums)] as const,
  );
  return JSON.stringify({
    position_time: to.time,
    position_id: to.requestId,
    records: counts.records,
    changed_records: counts.changedRecords,
    unpriced_records: counts.unpricedRecords,
    models: Object.fromEntries(models),
  });
}

function fromDifferenceJson(json: DifferenceJson): ModelDifference {
  return {
    changedRecords: json.changed_records,
    costBefore: BigInt(json.cost_before),
    costAfter: BigInt(json.cost_after),
    actualBefore: BigInt(json.actual_before),
    actualAfter: BigInt(json.actual_after),
  };
}

function toDifferenceJson(sums: ModelDifference): DifferenceJson {
  return {
    changed_records: sums.changedRecords,
    cost_before: sums.costBefore.toString(),
    cost_after: sums.costAfter.toString(),
    actual_before: sums.actualBefore.toString(),
    actual_after: sums.actualAfter.toString(),
  };
}

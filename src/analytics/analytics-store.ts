import type { Database } from "../database/database.js";
import { withRetry } from "../database/retry.js";
import {
  FIGURE_NAMES,
  type FiguresRow,
  fromFiguresRow,
  type UsageFigures,
  ZERO_FIGURES,
} from "./figures.js";
import type { Dimension, Scope } from "./question.js";
import { breakdownQuery, type Ranking, summaryQuery, topUsersQuery } from "./usage-query.js";
import type { Sql } from "./usage-rows.js";

/** Figures of one period and one value of each dimension that was asked for. */
export interface SummaryRow {
  /** Index into the periods. */
  readonly period: number;
  readonly values: Readonly<Partial<Record<Dimension, string>>>;
  readonly figures: UsageFigures;
}

/** Figures of one value. */
export interface RankedRow {
  readonly value: string;
  readonly figures: UsageFigures;
}

/** A page of values. */
export interface Breakdown {
  readonly rows: readonly RankedRow[];
  /** Of all pages, without latencies. */
  readonly total: UsageFigures;
  readonly valueCount: bigint;
}

/** Sums of usage, out of rollups. Every call is one query. */
export interface AnalyticsStore {
  /** By period and the scope's dimensions; at most `limit` rows. */
  readSummary(scope: Scope, limit: number): Promise<SummaryRow[]>;
  /** By one dimension, which takes the place of the scope's. */
  readBreakdown(scope: Scope, dimension: Dimension, ranking: Ranking): Promise<Breakdown>;
  /** By user, without latencies, and without what these API keys used. */
  readTopUsers(
    scope: Scope,
    butApiKeyIds: readonly string[],
    ranking: Ranking,
  ): Promise<RankedRow[]>;
}

/** Makes the store. */
export function createAnalyticsStore({ knex }: Pick<Database, "knex">): AnalyticsStore {
  async function run<Row>({ text, values }: Sql): Promise<Row[]> {
    const { rows } = await withRetry(() => knex.raw(text, values as unknown as string[]));
    return rows as Row[];
  }
  return {
    async readSummary(scope, limit) {
      const rows = await run<FiguresRow & SummaryKeys>(summaryQuery(scope, limit));
      return rows.map((row) => ({
        period: row.period,
        values: Object.fromEntries(scope.dimensions.map((name) => [name, row[name] ?? ""])),
        figures: fromFiguresRow(row),
      }));
    },
    async readBreakdown(scope, dimension, ranking) {
      const rows = await run<BreakdownRow>(breakdownQuery(scope, dimension, ranking));
      const [first] = rows;
      return {
        rows: rows.filter(isValueRow).map(toRankedRow),
        total: first === undefined ? ZERO_FIGURES : fromFiguresRow(totalOf(first)),
        valueCount: first?.valueCount ?? 0n,
      };
    },
    async readTopUsers(scope, butApiKeyIds, ranking) {
      const rows = await run<ValueRow>(topUsersQuery(scope, { butApiKeyIds }, ranking));
      return rows.map(toRankedRow);
    },
  };
}

type SummaryKeys = { readonly period: number } & Readonly<Partial<Record<Dimension, string>>>;
type ValueRow = FiguresRow & { readonly value: string };
type BreakdownRow = FiguresRow & {
  readonly value: string | null;
  readonly valueCount: bigint;
} & Readonly<Record<`total_${keyof FiguresRow}`, bigint>>;

function isValueRow(row: BreakdownRow): row is BreakdownRow & ValueRow {
  return row.value !== null;
}

function toRankedRow(row: ValueRow): RankedRow {
  return { value: row.value, figures: fromFiguresRow(row) };
}

function totalOf(row: BreakdownRow): FiguresRow {
  const numbers = FIGURE_NAMES.map((name) => [name, row[`total_${name}`]]);
  return Object.fromEntries(numbers) as FiguresRow;
}

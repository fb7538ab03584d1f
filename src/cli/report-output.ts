import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { Option } from "commander";
import { toAscii } from "../ascii.js";
import { formatScaled, NANO_USD_SCALE } from "../pricing/money.js";
import type { CommandOutput } from "./catalog.js";
import { formatCount, formatDollars } from "./format.js";
import { createStyle } from "./style.js";
import { renderTables, type Table } from "./table.js";

/** How a report is written. */
export type ReportFormat = "table" | "json" | "csv";

/** `--format`. */
export function formatOption(): Option {
  return new Option("--format <format>", "how to write it")
    .choices(["table", "json", "csv"])
    .default("table");
}

/** A figure or text of a report; what it is decides how it is written. */
export type ReportValue =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "count"; readonly count: bigint }
  | { readonly kind: "money"; readonly nanoUsd: bigint }
  | { readonly kind: "ms"; readonly ms: number | undefined }
  | { readonly kind: "share"; readonly share: number };

/** A column: its name in CSV, which has the unit, and above a table. */
export interface ReportColumn {
  readonly name: string;
  readonly title: string;
}

/** The rows of a report, each with a value for each column. */
export interface ReportRows {
  readonly title: string;
  readonly columns: readonly ReportColumn[];
  readonly rows: readonly (readonly ReportValue[])[];
}

/** As much of a name as a line shows. */
const MAX_NAME_LENGTH = 100;

/** Writes an answer as JSON as the contract has it, its rows as CSV, or tables for people. */
export function writeReport<D extends DescMessage>(
  output: CommandOutput,
  format: ReportFormat,
  report: {
    readonly schema: D;
    readonly answer: MessageShape<D>;
    readonly rows: ReportRows;
    /** Shown below the table. */
    readonly more?: readonly Table[];
    /** Shown instead of the table. */
    readonly drawing?: string;
  },
): void {
  const { schema, answer, rows, more = [], drawing } = report;
  if (format === "json") {
    output.write(`${JSON.stringify(toJson(schema, answer), null, 2)}\n`);
  } else if (format === "csv") {
    output.write(toCsv(rows));
  } else {
    const tables = [...(drawing === undefined ? [toTable(rows)] : []), ...more];
    const style = createStyle(output, process.env.NO_COLOR);
    output.write(`${drawing === undefined ? "" : `${drawing}\n`}${renderTables(tables, style)}`);
  }
}

/** RFC 4180, with a line of names; money in USD with all nine decimals. */
export function toCsv({ columns, rows }: ReportRows): string {
  const lines = [columns.map(({ name }) => name), ...rows.map((row) => row.map(toCsvText))];
  return lines.map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function toCsvText(value: ReportValue): string {
  switch (value.kind) {
    case "text":
      return value.text;
    case "count":
      return value.count.toString();
    case "money":
      return formatScaled(value.nanoUsd, NANO_USD_SCALE, NANO_USD_SCALE);
    case "ms":
      return value.ms === undefined ? "" : String(value.ms);
    case "share":
      return String(value.share);
  }
}

/** For people: texts in ASCII, counts with commas, dollars, whole milliseconds, percent. */
export function toTable({ title, columns, rows }: ReportRows): Table {
  const [, ...figures] = columns;
  const shown = rows.map((row) => row.map(toShownText));
  return { title, columns: figures.map((column) => column.title), rows: shown };
}

/** One value for people. */
export function toShownText(value: ReportValue): string {
  switch (value.kind) {
    case "text":
      return toAscii(value.text, MAX_NAME_LENGTH);
    case "count":
      return formatCount(value.count);
    case "money":
      return formatDollars(value.nanoUsd);
    case "ms":
      return value.ms === undefined ? "" : formatCount(Math.round(value.ms));
    case "share":
      return `${(value.share * 100).toFixed(1)} %`;
  }
}

/** Shorthands, so that a row is read as one line. */
export const text = (value: string): ReportValue => ({ kind: "text", text: value });
/** A whole number. */
export const count = (value: bigint): ReportValue => ({ kind: "count", count: value });
/** An amount of nano-USD. */
export const money = (nanoUsd: bigint): ReportValue => ({ kind: "money", nanoUsd });
/** Milliseconds; undefined: nobody told any. */
export const ms = (value: number | undefined): ReportValue => ({ kind: "ms", ms: value });
/** A part of a whole, 0 to 1. */
export const share = (value: number): ReportValue => ({ kind: "share", share: value });

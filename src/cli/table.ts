import type { Style } from "./style.js";

/** A table for people: text on the left, figures on the right. */
export interface Table {
  readonly title: string;
  /** Names of the columns after the first; none for a plain list of figures. */
  readonly columns?: readonly string[];
  /** First cell text, the others figures. */
  readonly rows: readonly (readonly string[])[];
}

const GAP = "  ";

/**
 * Lines of tables that share one width for their first column, with a blank line between
 * tables. Tables without rows are left out.
 */
export function renderTables(tables: readonly Table[], style: Style): string {
  const shown = tables.filter(({ rows }) => rows.length > 0);
  const labels = shown.flatMap(({ title, rows }) => [title, ...rows.map((row) => row[0] ?? "")]);
  const labelWidth = Math.max(0, ...labels.map((label) => label.length));
  return shown.map((table) => renderTable(table, labelWidth, style)).join("\n");
}

function renderTable({ title, columns = [], rows }: Table, labelWidth: number, style: Style) {
  const lines = [[title, ...columns], ...rows];
  const widths = columnWidths(lines);
  const text = lines.map(([label = "", ...figures]) => {
    const cells = figures.map((figure, index) => figure.padStart(widths[index] ?? 0));
    return [label.padEnd(labelWidth), ...cells].join(GAP).trimEnd();
  });
  const [head = "", ...body] = text;
  return [style.bold(head), ...body, ""].join("\n");
}

/** Widths of the columns after the first. */
function columnWidths(lines: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const [, ...figures] of lines) {
    figures.forEach((figure, index) => {
      widths[index] = Math.max(widths[index] ?? 0, figure.length);
    });
  }
  return widths;
}

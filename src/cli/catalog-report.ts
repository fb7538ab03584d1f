import {
  type ApplyCatalogResponse,
  type CatalogChange,
  CatalogChangeKind,
  type CatalogDocument,
  type ImportPricesResponse,
} from "../../gen/tally/v1/catalog_pb.js";
import { BudgetMeasure } from "../../gen/tally/v1/usage_pb.js";
import { formatUsd } from "../pricing/money.js";
import { formatCount } from "./format.js";
import type { Style } from "./style.js";
import { renderTables } from "./table.js";

/** What applying a document changed, or would: entries with their fields, then counts. */
export function renderApplied(
  response: ApplyCatalogResponse,
  document: CatalogDocument,
  style: Style,
): string {
  const { changes, unchangedCount, dryRun } = response;
  const costBudgets = costBudgetIds(document);
  const lines = changes.flatMap((change) => renderChange(change, costBudgets, style));
  const created = changes.filter(({ kind }) => kind === CatalogChangeKind.CREATED).length;
  const counts = [
    `${formatCount(created)} created`,
    `${formatCount(changes.length - created)} updated`,
    `${formatCount(unchangedCount)} unchanged`,
  ].join(", ");
  lines.push(dryRun ? `${counts}; nothing was written (dry run)` : counts);
  return lines.map((line) => `${line}\n`).join("");
}

/** What an import of prices did, or would do; skipped prices by reason, or each of them. */
export function renderImported(
  response: ImportPricesResponse,
  options: { readonly dryRun: boolean; readonly showSkipped: boolean },
  style: Style,
): string {
  const { skipped } = response;
  const rows: [string, number][] = [
    ["created", response.createdCount],
    ["updated", response.updatedCount],
    ["unchanged", response.unchangedCount],
    ["left as an operator set them", response.keptCount],
  ];
  const toRows = (entries: readonly (readonly [string, number])[]) =>
    entries.map(([name, count]) => [name, formatCount(count)]);
  const title = `prices of the collection, version ${response.collectionVersion}`;
  const reasons = options.showSkipped
    ? skipped.map(({ provider, model, reason }) => [`${provider}/${model}`, reason])
    : toRows([...countReasons(response)]);
  const tables = renderTables(
    [
      { title, rows: toRows(rows) },
      { title: "not imported", rows: reasons },
    ],
    style,
  );
  return options.dryRun ? `${tables}\nnothing was written (dry run)\n` : tables;
}

/** How often each reason, without its details, left something out. */
function countReasons({ skipped }: ImportPricesResponse): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { reason } of skipped) {
    const [name = ""] = reason.split(":");
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function renderChange(change: CatalogChange, costBudgets: ReadonlySet<string>, style: Style) {
  const isNew = change.kind === CatalogChangeKind.CREATED;
  const head = `${isNew ? "+" : "~"} ${change.collection} ${printable(change.id)}`;
  const isLimitMoney = change.collection === "budgets" && costBudgets.has(change.id);
  const fields = change.fields.map(({ field, before, after }) => {
    const isMoney = field.includes("nano_usd") || (isLimitMoney && field === "limit");
    const name = field.replace("nano_usd", "usd");
    const was = isNew ? "" : `${showValue(before, isMoney)} -> `;
    return printable(`    ${name}: ${was}${showValue(after, isMoney)}`);
  });
  return [isNew ? style.good(head) : style.bold(head), ...fields];
}

/** A field's JSON; amounts of money in dollars. */
function showValue(json: string, isMoney: boolean): string {
  if (json === "") return "unset";
  return isMoney ? formatUsd(BigInt(JSON.parse(json))) : json;
}

/** Budgets of a document whose limit is money. */
function costBudgetIds({ budgets }: CatalogDocument): Set<string> {
  const inMoney = budgets.filter(({ measure }) => {
    return measure === BudgetMeasure.UNSPECIFIED || measure === BudgetMeasure.COST;
  });
  return new Set(inMoney.map(({ budgetId }) => budgetId));
}

/** Text without what a terminal would obey: control characters, and marks that turn text around. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

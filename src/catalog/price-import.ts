import type { Logger } from "pino";
import type { Database, Transaction } from "../database/database.js";
import { invalidFields, violation } from "../errors.js";
import { type GenaiCollection, loadGenaiCollection } from "../pricing/genai-collection.js";
import { importGenaiPrices, type SkippedImport } from "../pricing/genai-prices.js";
import { SNAPSHOT_NAMES } from "../pricing/genai-snapshots.js";
import type { ChangeOrigin } from "./audit.js";
import type { CatalogRows } from "./catalog-rows.js";
import { readTable } from "./catalog-store.js";
import type { CatalogChanges } from "./changes.js";
import { diffCollection } from "./diff.js";
import { modelTable } from "./model-table.js";
import { formatPriceId } from "./price-id.js";
import { readPrices, writePrices } from "./price-store.js";
import type { ModelPrice, PriceEntry, PriceSource } from "./types.js";

/** Options of {@link createPriceImporter}. */
export interface PriceImporterOptions {
  readonly database: Pick<Database, "knex" | "transaction">;
  readonly changes: CatalogChanges;
  readonly logger: Logger;
  /** Where the prices come from. Default: the bundled collection. */
  readonly loadCollection?: () => Promise<GenaiCollection>;
}

/** What to import. */
export interface PriceImportRequest {
  /** Who imports. */
  readonly origin: ChangeOrigin;
  /** Only these providers, by their ids in the collection. None: all. */
  readonly providerIds?: readonly string[];
  /** Write nothing. */
  readonly dryRun?: boolean;
}

/** What an import did, or would do. */
export interface PriceImportResult {
  readonly createdCount: number;
  readonly updatedCount: number;
  readonly unchangedCount: number;
  /** Prices of the collection that give way to an operator's. */
  readonly keptCount: number;
  readonly skipped: readonly SkippedImport[];
  readonly collectionVersion: string;
}

/** Fills the price list from the bundled collection. */
export interface PriceImporter {
  /**
   * Writes a provider's prices as that provider's, and those of a model's maker as global ones
   * too. The maker is the first provider of the collection, in its order, whose own pattern takes
   * the model's name, so that there is never more than one global price of a model. Where an
   * operator has priced a model for a provider (or globally), at whatever time, all of the
   * collection's prices for the two are left out: one with a later start would take the
   * operator's place otherwise. Prices that are not in the collection any more stay.
   *
   * @throws DomainError INVALID_FIELD for a provider that the collection does not have
   */
  importPrices(request: PriceImportRequest): Promise<PriceImportResult>;
}

const SOURCE: PriceSource = "genai-prices";

/** Makes an importer. */
export function createPriceImporter(options: PriceImporterOptions): PriceImporter {
  const { database, changes, logger, loadCollection = loadGenaiCollection } = options;

  async function importPrices(request: PriceImportRequest): Promise<PriceImportResult> {
    const { origin, providerIds = [], dryRun = false } = request;
    const collection = await loadCollection();
    refuseUnknown(collection, providerIds);
    const models = await readTable(database.knex, modelTable);
    const { prices, skipped } = importGenaiPrices(collection.providers, {
      ...(providerIds.length > 0 && { providerIds }),
      wantedNames: [...SNAPSHOT_NAMES, ...models.entries.map(({ model }) => model)],
    });
    const offered = prices.map(({ model, provider = "", effectiveFromMs = null, price }) => {
      return { model, provider, effectiveTimeMs: effectiveFromMs, price, source: SOURCE };
    });
    const counts = dryRun
      ? (await database.transaction((trx) => compareOffered(trx, offered))).counts
      : await changes.make(origin, (trx) => writeOffered(trx, offered));
    const collectionVersion = collection.version;
    logger.info({ ...counts, dryRun, collectionVersion }, "prices imported");
    return { ...counts, skipped, collectionVersion };
  }

  return { importPrices };
}

function refuseUnknown({ providers }: GenaiCollection, providerIds: readonly string[]): void {
  const known = new Set(providers.map(({ id }) => id));
  const violations = providerIds.flatMap((id, index) => {
    if (known.has(id)) return [];
    const rule = `must be a provider of the price collection: ${[...known].join(", ")}`;
    return [violation(`providers[${index}]`, id, rule)];
  });
  if (violations.length > 0) throw invalidFields(violations);
}

async function writeOffered(trx: Transaction, offered: readonly PriceEntry[]) {
  const { counts, changes, changed } = await compareOffered(trx, offered);
  await writePrices(trx, changed);
  const models = new Set(changed.map(({ model }) => model));
  const rows: CatalogRows = new Map(models.size > 0 ? [["model_prices", models]] : []);
  return { result: counts, rows, changes };
}

async function compareOffered(trx: Transaction, offered: readonly PriceEntry[]) {
  const { entries: current } = await readPrices(trx);
  const wanted = withoutOperators(offered, current);
  const { changes, changed, unchangedCount } = diffCollection("prices", wanted, current);
  const createdCount = changes.filter(({ kind }) => kind === "CREATED").length;
  const counts = {
    createdCount,
    updatedCount: changes.length - createdCount,
    unchangedCount,
    keptCount: offered.length - wanted.length,
  };
  return { counts, changes, changed };
}

/** The prices for what no operator has priced. */
function withoutOperators(
  offered: readonly PriceEntry[],
  current: readonly ModelPrice[],
): PriceEntry[] {
  const owned = new Set(current.filter(({ source }) => source === "operator").map(ownerIdOf));
  return offered.filter((price) => !owned.has(ownerIdOf(price)));
}

/** Names a model at a provider, whatever the time. */
function ownerIdOf({ model, provider }: PriceEntry): string {
  return formatPriceId({ model, provider, effectiveTimeMs: null });
}

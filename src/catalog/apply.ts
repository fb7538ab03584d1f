import type { Logger } from "pino";
import type { Database, Transaction } from "../database/database.js";
import { type FieldViolation, invalidFields } from "../errors.js";
import type { ChangeOrigin } from "./audit.js";
import type { CatalogChanges } from "./changes.js";
import { type CatalogDiff, diffCatalog } from "./diff.js";
import type { CatalogDocument } from "./document.js";
import { rowsOf } from "./document-rows.js";
import { readDocumentState, readExistingEntries, writeDocument } from "./document-store.js";
import { documentViolations } from "./document-validation.js";

/** Options of {@link createCatalogApplier}. */
export interface CatalogApplierOptions {
  readonly database: Pick<Database, "transaction">;
  readonly changes: CatalogChanges;
  readonly logger: Logger;
}

/** Who applies a document, and whether for real. */
export interface ApplyOptions {
  readonly origin: ChangeOrigin;
  readonly dryRun?: boolean;
}

/** Brings the catalog to what documents say. */
export interface CatalogApplier {
  /**
   * Makes the entries that the document names exactly what it says, in one transaction, and leaves
   * all others alone. When it resolves, this process shows the change. A dry run writes
   * nothing and answers the same.
   *
   * @throws DomainError CATALOG_INVALID with everything that is wrong with the document
   */
  apply(document: CatalogDocument, options: ApplyOptions): Promise<CatalogDiff>;
}

/** Makes an applier. */
export function createCatalogApplier(options: CatalogApplierOptions): CatalogApplier {
  const { database, changes, logger } = options;
  return {
    async apply(document, { origin, dryRun = false }) {
      if (dryRun) {
        return database.transaction((trx) => compare(trx, document, false), {
          isolationLevel: "repeatable read",
          readOnly: true,
        });
      }
      const diff = await changes.make(origin, async (trx) => {
        const found = await compare(trx, document, true);
        await writeDocument(trx, found.changed);
        return { result: found, rows: rowsOf(found.changed), changes: found.changes };
      });
      const { unchangedCount } = diff;
      logger.info(
        { changed: diff.changes.length, unchanged: unchangedCount },
        "catalog document applied",
      );
      return diff;
    },
  };
}

async function compare(
  trx: Transaction,
  document: CatalogDocument,
  locking: boolean,
): Promise<CatalogDiff> {
  const { state, violations } = await judgeDocument(trx, document, { locking });
  if (violations.length > 0) throw invalidFields(violations, "CATALOG_INVALID");
  return diffCatalog(document, state);
}

/** What the entries of a document are now, and everything that is wrong with what they should be. */
export async function judgeDocument(
  trx: Transaction,
  document: CatalogDocument,
  options: { readonly locking: boolean },
): Promise<{ readonly state: CatalogDocument; readonly violations: readonly FieldViolation[] }> {
  const state = await readDocumentState(trx, document, options);
  const existing = await readExistingEntries(trx, document, state);
  return { state, violations: documentViolations(document, existing) };
}

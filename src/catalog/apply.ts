import type { Logger } from "pino";
import type { Database, Transaction } from "../database/database.js";
import { invalidFields } from "../errors.js";
import type { CatalogRows } from "./catalog-rows.js";
import { lockCatalog } from "./catalog-store.js";
import { type CatalogDiff, diffCatalog } from "./diff.js";
import type { CatalogDocument } from "./document.js";
import { rowsOf } from "./document-rows.js";
import { readDocumentState, readExistingEntries, writeDocument } from "./document-store.js";
import { documentViolations } from "./document-validation.js";

/** Options of {@link createCatalogApplier}. */
export interface CatalogApplierOptions {
  readonly database: Pick<Database, "transaction">;
  /** Brings this process's own memory up to date, see `CatalogFollower`. */
  readonly refresh: (rows: CatalogRows) => Promise<void>;
  readonly logger: Logger;
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
  apply(document: CatalogDocument, options?: { readonly dryRun?: boolean }): Promise<CatalogDiff>;
}

/** Makes an applier. */
export function createCatalogApplier(options: CatalogApplierOptions): CatalogApplier {
  const { database, refresh, logger } = options;
  return {
    async apply(document, { dryRun = false } = {}) {
      if (dryRun) {
        return database.transaction((trx) => compare(trx, document, false), {
          isolationLevel: "repeatable read",
          readOnly: true,
        });
      }
      const diff = await database.transaction(async (trx) => {
        await lockCatalog(trx);
        const found = await compare(trx, document, true);
        await writeDocument(trx, found.changed);
        return found;
      });
      if (diff.changes.length > 0) await refresh(rowsOf(diff.changed));
      const { changes, unchangedCount } = diff;
      logger.info(
        { changed: changes.length, unchanged: unchangedCount },
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
  const state = await readDocumentState(trx, document, { locking });
  const existing = await readExistingEntries(trx, document, state);
  const violations = documentViolations(document, existing);
  if (violations.length > 0) throw invalidFields(violations, "CATALOG_INVALID");
  return diffCatalog(document, state);
}

import type { Database, Transaction } from "../database/database.js";
import { type AuditRecord, type ChangeOrigin, toAuditRecords } from "./audit.js";
import { writeAudit } from "./audit-store.js";
import type { CatalogRows } from "./catalog-rows.js";
import { lockCatalog } from "./catalog-store.js";
import type { EntryChange } from "./diff.js";

/** Options of {@link createCatalogChanges}. */
export interface CatalogChangesOptions {
  readonly database: Pick<Database, "transaction">;
  /** Brings this process's own memory up to date, see `CatalogFollower`. */
  readonly refresh: (rows: CatalogRows) => Promise<void>;
}

/** What a change did. */
export interface CatalogChange<T> {
  readonly result: T;
  /** What it wrote. */
  readonly rows: CatalogRows;
  /** What the audit log keeps of it, beside `records`. */
  readonly changes: readonly EntryChange[];
  /** Changes of what is no entry. */
  readonly records?: readonly AuditRecord[];
}

/** The one way by which the catalog changes. */
export interface CatalogChanges {
  /**
   * Does the work in one transaction under the catalog's lock, with its entries in the audit log.
   * When it resolves, this process shows the change. Changes of a process wait for each other, so
   * that they never hold more than one connection while others wait for the lock.
   *
   * @throws what the work throws; nothing has changed then
   */
  make<T>(origin: ChangeOrigin, work: (trx: Transaction) => Promise<CatalogChange<T>>): Promise<T>;
}

/** Makes the way. */
export function createCatalogChanges(options: CatalogChangesOptions): CatalogChanges {
  const { database, refresh } = options;
  let previous: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = previous.then(work);
    previous = result.catch(() => undefined);
    return result;
  }

  return {
    async make(origin, work) {
      const { result, rows } = await inTurn(() => {
        origin.throwIfOver?.();
        return database.transaction(async (trx) => {
          await lockCatalog(trx);
          const change = await work(trx);
          const records = [...toAuditRecords(change.changes), ...(change.records ?? [])];
          await writeAudit(trx, origin, records);
          return change;
        });
      });
      if (rows.size > 0) await refresh(rows);
      return result;
    },
  };
}

import type { Transaction } from "../database/database.js";
import { DomainError, describe, type ErrorObstacle, type ErrorResource } from "../errors.js";
import { resourceTypeOf } from "./audit.js";
import { mergeRows } from "./catalog-rows.js";
import type { CatalogChange } from "./changes.js";
import { DEPENDENTS, documentOf } from "./dependents.js";
import { createDependentsReader } from "./dependents-store.js";
import { deletions, diffCatalog, type EntryChange } from "./diff.js";
import type { DocumentCollection, DocumentEntry } from "./document.js";
import { rowsOf } from "./document-rows.js";
import { deleteDocument, readDocumentState, writeDocument } from "./document-store.js";

/** What goes. */
export interface Removal<C extends DocumentCollection> {
  readonly entry: DocumentEntry<C>;
  readonly resource: ErrorResource;
  /** Removes, or detaches, what depends on it. */
  readonly force: boolean;
}

/**
 * Removes an entry. The history of usage refers to it by its id alone and stays.
 *
 * @throws DomainError RESOURCE_IN_USE when something depends on it, without force
 */
export async function removeEntry<C extends DocumentCollection>(
  trx: Transaction,
  collection: C,
  { entry, resource, force }: Removal<C>,
): Promise<CatalogChange<void>> {
  const { removed, detached } = await DEPENDENTS[collection](entry, createDependentsReader(trx));
  const state = await readDocumentState(trx, detached, { locking: true });
  const diff = diffCatalog(detached, state);
  const dependents = deletions(removed);
  if (!force) refuseDependents(resource, [...dependents, ...diff.changes]);
  const own = documentOf(collection, entry);
  await writeDocument(trx, diff.changed);
  await deleteDocument(trx, removed);
  await deleteDocument(trx, own);
  const rows = mergeRows(mergeRows(rowsOf(own), rowsOf(removed)), rowsOf(diff.changed));
  return {
    result: undefined,
    rows,
    changes: [...deletions(own), ...dependents, ...diff.changes],
  };
}

function refuseDependents(resource: ErrorResource, dependents: readonly EntryChange[]): void {
  const [first] = dependents;
  if (first === undefined) return;
  const obstacles = dependents.map(({ collection, id }): ErrorObstacle => {
    const dependent = { type: resourceTypeOf(collection), name: id };
    const description = `${describe(dependent)} depends on ${describe(resource)}`;
    return { resource: dependent, description };
  });
  const more = obstacles.length > 1 ? ` and ${obstacles.length - 1} more` : "";
  const message = `${obstacles[0]!.description}${more}; delete them first, or use force`;
  throw new DomainError("RESOURCE_IN_USE", message, { resource, obstacles });
}

import type { Database, Transaction } from "../database/database.js";
import {
  alreadyExists,
  DomainError,
  describe,
  type FieldViolation,
  invalidFields,
  notFound,
} from "../errors.js";
import { judgeDocument } from "./apply.js";
import type { ChangeOrigin } from "./audit.js";
import type { CatalogChanges } from "./changes.js";
import { documentOf } from "./dependents.js";
import { diffCatalog } from "./diff.js";
import type { DocumentCollection, DocumentEntry } from "./document.js";
import { rowsOf } from "./document-rows.js";
import { writeDocument } from "./document-store.js";
import { COLLECTION_FORMATS } from "./entry-json.js";
import { type EntryFilter, type EntryRow, listEntries, readEntry } from "./entry-store.js";
import { ENTRY_TABLES, type EntryTable, type StoredEntry } from "./entry-table.js";
import { etagOf } from "./etag.js";
import { type Page, type PageRequest, pageSizeOf, readPageToken, toPage } from "./page-token.js";
import { removeEntry } from "./removal.js";

/** What a kind of entry is edited by. */
export interface EntryKind<C extends DocumentCollection> {
  readonly collection: C;
  /** Name of the entry in its requests: "api_key". */
  readonly field: string;
  /** Values of the key columns. */
  readonly keyOf: (entry: DocumentEntry<C>) => readonly string[];
  /** The id of the entry with this key, for people. */
  readonly nameOf: (key: readonly string[]) => string;
}

/** An entry with what is known of its changes. */
export interface EditedEntry<C extends DocumentCollection> extends EntryRow<StoredEntry<C>> {
  /** Names this state of the entry. */
  readonly etag: string;
}

/** What an entry becomes, and what the contract says against it. */
export interface EntryDraft<C extends DocumentCollection> {
  readonly entry: DocumentEntry<C>;
  /** Fields of the request. */
  readonly violations: readonly FieldViolation[];
}

/** How an entry is changed. */
export interface EntryUpdate<C extends DocumentCollection> {
  readonly key: readonly string[];
  /** "": whatever state it is in. */
  readonly etag: string;
  /** Makes what it becomes of what it is. */
  readonly revise: (current: EditedEntry<C>) => EntryDraft<C>;
}

/** Which entry goes. */
export interface EntryRemoval {
  readonly key: readonly string[];
  /** "": whatever state it is in. */
  readonly etag: string;
  /** Removes, or detaches, what depends on it. */
  readonly force: boolean;
}

/** The catalog, entry by entry. Every change is checked by the rules that documents are. */
export interface CatalogEditor {
  /** @throws DomainError RESOURCE_NOT_FOUND */
  get<C extends DocumentCollection>(
    kind: EntryKind<C>,
    key: readonly string[],
  ): Promise<EditedEntry<C>>;
  /** @throws DomainError INVALID_FIELD for a page token of another question */
  list<C extends DocumentCollection>(
    kind: EntryKind<C>,
    filters: readonly EntryFilter[],
    page: PageRequest,
  ): Promise<Page<EditedEntry<C>>>;
  /** @throws DomainError INVALID_FIELD, RESOURCE_ALREADY_EXISTS */
  create<C extends DocumentCollection>(
    kind: EntryKind<C>,
    draft: EntryDraft<C>,
    origin: ChangeOrigin,
  ): Promise<EditedEntry<C>>;
  /** @throws DomainError INVALID_FIELD, RESOURCE_NOT_FOUND, ETAG_MISMATCH */
  update<C extends DocumentCollection>(
    kind: EntryKind<C>,
    update: EntryUpdate<C>,
    origin: ChangeOrigin,
  ): Promise<EditedEntry<C>>;
  /** @throws DomainError RESOURCE_NOT_FOUND, ETAG_MISMATCH, RESOURCE_IN_USE */
  remove<C extends DocumentCollection>(
    kind: EntryKind<C>,
    removal: EntryRemoval,
    origin: ChangeOrigin,
  ): Promise<void>;
}

/** What an editor is made of. */
export interface CatalogEditorParts {
  readonly database: Pick<Database, "knex">;
  readonly changes: CatalogChanges;
}

/** Makes an editor. */
export function createCatalogEditor({ database, changes }: CatalogEditorParts): CatalogEditor {
  return {
    get: (kind, key) => find(database.knex, kind, key),
    async list(kind, filters, page) {
      const question = [tableOf(kind).name, filters];
      const rows = await listEntries(database.knex, tableOf(kind), {
        filters,
        after: readPageToken(page, question),
        limit: pageSizeOf(page) + 1,
      });
      const read = rows.map((row) => withEtag(kind, row));
      return toPage(page, read, { question, keyOf: ({ entry }) => kind.keyOf(entry) });
    },
    create: (kind, draft, origin) =>
      changes.make(origin, async (trx) => {
        const key = kind.keyOf(draft.entry);
        const isThere = draft.violations.length === 0 && (await readEntry(trx, tableOf(kind), key));
        if (isThere) throw alreadyExists("RESOURCE_ALREADY_EXISTS", resourceOf(kind, draft.entry));
        return write(trx, kind, draft);
      }),
    update: (kind, { key, etag, revise }, origin) =>
      changes.make(origin, async (trx) => {
        const current = await find(trx, kind, key, { locking: true });
        assertEtag(resourceOf(kind, current.entry), current.etag, etag);
        return write(trx, kind, revise(current));
      }),
    remove: (kind, { key, etag, force }, origin) =>
      changes.make(origin, async (trx) => {
        const { entry, etag: currentEtag } = await find(trx, kind, key, { locking: true });
        const resource = resourceOf(kind, entry);
        assertEtag(resource, currentEtag, etag);
        return removeEntry(trx, kind.collection, { entry, resource, force });
      }),
  };
}

async function find<C extends DocumentCollection>(
  knex: Database["knex"],
  kind: EntryKind<C>,
  key: readonly string[],
  options: { readonly locking?: boolean } = {},
): Promise<EditedEntry<C>> {
  const table = tableOf(kind);
  const row = await readEntry(knex, table, key, options);
  if (row !== undefined) return withEtag(kind, row);
  throw notFound("RESOURCE_NOT_FOUND", { type: table.type, name: kind.nameOf(key) });
}

/** Judges a draft as a document of one entry, and writes it. */
async function write<C extends DocumentCollection>(
  trx: Transaction,
  kind: EntryKind<C>,
  { entry, violations }: EntryDraft<C>,
) {
  const document = documentOf(kind.collection, entry);
  const judged = await judgeDocument(trx, document, { locking: true });
  const all = joinViolations(violations, judged.violations.map(inRequest(kind)));
  if (all.length > 0) throw invalidFields(all);
  const diff = diffCatalog(document, judged.state);
  await writeDocument(trx, diff.changed);
  const result = await find(trx, kind, kind.keyOf(entry));
  return { result, rows: rowsOf(diff.changed), changes: diff.changes };
}

/** A document's violation as one of the request that holds its only entry. */
function inRequest<C extends DocumentCollection>({ collection, field }: EntryKind<C>) {
  const prefix = `document.${COLLECTION_FORMATS[collection].name}[0]`;
  return (violation: FieldViolation): FieldViolation => ({
    field: violation.field.replace(prefix, field),
    description: violation.description,
  });
}

/** What the contract blames is not blamed again, nor is anything in it. */
function joinViolations(
  contract: readonly FieldViolation[],
  further: readonly FieldViolation[],
): FieldViolation[] {
  // What a budget's subject should be depends on its scope.
  const isRoot = (known: string, field: string) =>
    field === known ||
    field.startsWith(`${known}.`) ||
    field === known.replace(/scope$/, "subject");
  const isBlamed = (field: string) => contract.some((known) => isRoot(known.field, field));
  return [...contract, ...further.filter(({ field }) => !isBlamed(field))];
}

function tableOf<C extends DocumentCollection>({
  collection,
}: EntryKind<C>): EntryTable<StoredEntry<C>> {
  return ENTRY_TABLES[collection];
}

function resourceOf<C extends DocumentCollection>(
  { collection }: EntryKind<C>,
  entry: DocumentEntry<C>,
) {
  return {
    type: ENTRY_TABLES[collection].type,
    name: COLLECTION_FORMATS[collection].idOf(entry),
  };
}

function withEtag<C extends DocumentCollection>(
  { collection }: EntryKind<C>,
  row: EntryRow<StoredEntry<C>>,
): EditedEntry<C> {
  const content = COLLECTION_FORMATS[collection].toJson(row.entry);
  return { ...row, etag: etagOf(content, row.updateTimeUs) };
}

/**
 * Lets a change pass if its maker saw the state that it changes, or does not say.
 *
 * @throws DomainError ETAG_MISMATCH
 */
export function assertEtag(
  resource: { readonly type: string; readonly name: string },
  current: string,
  expected: string,
): void {
  if (expected === "" || expected === current) return;
  const message = `${describe(resource)} has changed since it had this etag; read it again`;
  throw new DomainError("ETAG_MISMATCH", message, { resource });
}

import type { EntryChange } from "./diff.js";
import type { DocumentCollection } from "./document.js";
import { COLLECTION_FORMATS, type JsonObject, type JsonValue } from "./entry-json.js";
import { ENTRY_TABLES } from "./entry-table.js";

/** Who makes a change, and by which call. */
export interface ChangeOrigin {
  readonly actor: string;
  /** Name of the RPC: "UpdateUser". */
  readonly method: string;
  readonly requestId: string;
  /** Throws when nobody waits for the answer any more; asked before the change begins. */
  readonly throwIfOver?: () => void;
}

/** What was done to an entry. */
export type AuditAction = "CREATED" | "UPDATED" | "DELETED";

/** One change of one entry. */
export interface AuditRecord {
  readonly action: AuditAction;
  /** Kind of entry, as the contract's AuditEntry names it. */
  readonly resourceType: string;
  readonly resourceId: string;
  /** Null: it was not there. */
  readonly before: JsonObject | null;
  /** Null: it is gone. */
  readonly after: JsonObject | null;
}

const TYPES = new Map<string, string>([
  ["settings", "settings"],
  ...(Object.keys(ENTRY_TABLES) as DocumentCollection[]).map(
    (collection) => [COLLECTION_FORMATS[collection].name, ENTRY_TABLES[collection].type] as const,
  ),
]);

/** The kind of entry that a collection of the contract holds. */
export function resourceTypeOf(collection: string): string {
  return TYPES.get(collection) ?? collection;
}

/** What the audit log keeps of changes. */
export function toAuditRecords(changes: readonly EntryChange[]): AuditRecord[] {
  return changes.map(({ kind, collection, id, before, after }) => ({
    action: kind,
    resourceType: resourceTypeOf(collection),
    resourceId: id,
    before: before === null ? null : withoutSecrets(before),
    after: after === null ? null : withoutSecrets(after),
  }));
}

/** Parts of a URL that may be secrets: user and password, and the values of its query. */
const SECRETS_IN_URL = /(?<=:\/\/)[^/?#]*(?=@)|(?<=[?&][^=&#]*=)[^&#]+/g;

/** Masks what may be a secret: gateways put keys into base URLs. All else is none. */
function withoutSecrets(entry: JsonObject): JsonObject {
  const { base_url: url } = entry;
  return typeof url === "string"
    ? { ...entry, base_url: url.replace(SECRETS_IN_URL, "****") satisfies JsonValue }
    : entry;
}

import type { CatalogDocument } from "./document.js";

/** Ids that the entries of a document refer to. */
export interface DocumentReferences {
  readonly userIds: readonly string[];
  readonly providers: readonly string[];
  readonly providerEndpointIds: readonly string[];
}

/** Collects every reference of a document, each id once. */
export function referencesOf(document: CatalogDocument): DocumentReferences {
  const { apiKeys, providerEndpoints, providerKeys } = document;
  return {
    userIds: distinct(apiKeys.map((key) => key.userId)),
    providers: distinct([...providerEndpoints, ...providerKeys].map((entry) => entry.provider)),
    providerEndpointIds: distinct(providerKeys.map((key) => key.providerEndpointId)),
  };
}

function distinct(ids: readonly string[]): string[] {
  return [...new Set(ids)].filter((id) => id !== "" && isStorable(id));
}

/** False for what PostgreSQL cannot even be asked for; the contract forbids it in every id. */
export function isStorable(id: string): boolean {
  return !id.includes("\0");
}

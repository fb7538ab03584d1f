import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CatalogChange,
  CatalogChangeKind,
  type CatalogDocumentSchema,
} from "../../gen/tally/v1/catalog_pb.js";
import type { TallyClients } from "./clients.js";
import { TRAFFIC_MODELS } from "./models.js";
import { TRACE_USERS, traceApiKeyId, traceUserId } from "./trace-row.js";

type Document = MessageInitShape<typeof CatalogDocumentSchema>;

/** Providers that traffic is sent to. */
export const TRAFFIC_PROVIDERS: readonly string[] = [
  ...new Set(TRAFFIC_MODELS.map(({ provider }) => provider)),
];

/** What a replayed trace needs: its users, their API keys, providers and models; no budgets. */
export function traceCatalogDocument() {
  const numbers = Array.from({ length: TRACE_USERS }, (_, number) => number);
  return {
    users: numbers.map((number) => ({ userId: traceUserId(number) })),
    apiKeys: numbers.map((number) => ({
      apiKeyId: traceApiKeyId(number),
      userId: traceUserId(number),
    })),
    providers: TRAFFIC_PROVIDERS.map((provider) => ({ provider })),
    models: TRAFFIC_MODELS.map(({ model }) => ({ model })),
  } satisfies Document;
}

/**
 * Makes sure that the server knows the prices and the entries that a trace needs. What is in the
 * catalog already, possibly with limits that somebody set, is left as it is.
 *
 * @returns how many entries were added
 */
export async function ensureTraceCatalog({ catalog }: Pick<TallyClients, "catalog">) {
  await catalog.importPrices({ providers: [...TRAFFIC_PROVIDERS] });
  const wanted = traceCatalogDocument();
  const { changes } = await catalog.applyCatalog({ document: wanted, dryRun: true });
  const isNew = newEntries(changes);
  const document = {
    users: wanted.users.filter(({ userId }) => isNew("users", userId)),
    apiKeys: wanted.apiKeys.filter(({ apiKeyId }) => isNew("api_keys", apiKeyId)),
    providers: wanted.providers.filter(({ provider }) => isNew("providers", provider)),
    models: wanted.models.filter(({ model }) => isNew("models", model)),
  };
  const applied = await catalog.applyCatalog({ document });
  return applied.changes.length;
}

function newEntries(
  changes: readonly CatalogChange[],
): (collection: string, id: string) => boolean {
  const keys = new Set(
    changes
      .filter(({ kind }) => kind === CatalogChangeKind.CREATED)
      .map(({ collection, id }) => `${collection}/${id}`),
  );
  return (collection, id) => keys.has(`${collection}/${id}`);
}

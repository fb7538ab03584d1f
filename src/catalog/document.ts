import type { SettingsValues } from "./settings.js";
import type {
  ApiKey,
  Budget,
  Model,
  PriceEntry,
  Provider,
  ProviderEndpoint,
  ProviderKey,
  User,
} from "./types.js";

/**
 * What the catalog should say, or says. Every entry is complete, with the defaults of what was not
 * given; entries that are not named are left alone, and so are settings that are not given.
 */
export interface CatalogDocument {
  readonly users: readonly User[];
  readonly apiKeys: readonly ApiKey[];
  readonly providers: readonly Provider[];
  readonly providerEndpoints: readonly ProviderEndpoint[];
  readonly providerKeys: readonly ProviderKey[];
  readonly models: readonly Model[];
  readonly prices: readonly PriceEntry[];
  readonly budgets: readonly Budget[];
  readonly settings: SettingsValues;
}

/** A collection of a document. */
export type DocumentCollection = Exclude<keyof CatalogDocument, "settings">;

/** An entry of each collection. */
export type DocumentEntry<C extends DocumentCollection> = CatalogDocument[C][number];

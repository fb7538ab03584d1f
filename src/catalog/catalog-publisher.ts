import type { PriceBook } from "../pricing/price-book.js";
import type { UnreadableRow } from "./catalog-table.js";
import type {
  CatalogCollection,
  CatalogDirectory,
  CatalogDirectoryWriter,
  CatalogEntries,
} from "./directory.js";
import { createPriceShelf } from "./price-shelf.js";
import type { PriceVersions } from "./price-versions.js";
import { resolveSettings } from "./settings.js";
import type { CatalogSnapshot, CollectionRead } from "./snapshot-store.js";
import type { User } from "./types.js";

/** Where the catalog is shown. */
export interface CatalogPublisherOptions {
  readonly directory: CatalogDirectory & CatalogDirectoryWriter;
  readonly priceBook: Pick<PriceBook, "apply">;
  readonly priceVersions: Pick<PriceVersions, "remember">;
  /** Told which users have another role than they had. */
  readonly onRoleChange?: ((userIds: readonly string[]) => void) | undefined;
}

/** Shows in memory what was read of the database. */
export interface CatalogPublisher {
  /**
   * Takes a snapshot over, at once for all who read. A row that cannot be read leaves its entry
   * as it was.
   *
   * @returns the rows that cannot be read
   */
  publish(snapshot: CatalogSnapshot): UnreadableRow[];
}

/** What the read of a collection changes. */
interface CollectionChange<T> {
  readonly upserted: readonly T[];
  readonly goneIds: readonly string[];
}

/** Makes a publisher into an empty directory and price book. */
export function createCatalogPublisher(options: CatalogPublisherOptions): CatalogPublisher {
  const { directory, priceBook, priceVersions, onRoleChange } = options;
  const shelf = createPriceShelf();

  function take<C extends CatalogCollection>(
    collection: C,
    read: CollectionRead<CatalogEntries[C]> | undefined,
    find: (id: string) => CatalogEntries[C] | undefined,
  ): CollectionChange<CatalogEntries[C]> {
    if (read === undefined) return { upserted: [], goneIds: [] };
    const kept = read.unreadable.map(({ id }) => find(id)).filter((entry) => entry !== undefined);
    const upserted = [...read.entries, ...kept];
    return { upserted, goneIds: directory.replace(collection, upserted, read.ids) };
  }

  return {
    publish(snapshot) {
      const newRoles = usersWithNewRole(snapshot.users?.entries ?? [], directory);
      take("users", snapshot.users, directory.user);
      if (newRoles.length > 0) onRoleChange?.(newRoles);
      take("apiKeys", snapshot.apiKeys, directory.apiKey);
      take("providerEndpoints", snapshot.providerEndpoints, directory.providerEndpoint);
      take("budgets", snapshot.budgets, directory.budget);
      const providers = take("providers", snapshot.providers, directory.provider);
      const providerKeys = take("providerKeys", snapshot.providerKeys, directory.providerKey);
      const models = take("models", snapshot.models, directory.model);
      const prices = shelf.replace(snapshot.prices);
      priceVersions.remember(prices.upserted);
      priceBook.apply(
        {
          prices: prices.upserted,
          models: models.upserted,
          providers: providers.upserted,
          providerKeys: providerKeys.upserted,
        },
        {
          priceIds: prices.goneIds,
          models: models.goneIds,
          providers: providers.goneIds,
          providerKeyIds: providerKeys.goneIds,
        },
      );
      const { settings } = snapshot;
      if (settings) {
        directory.replaceSettings(resolveSettings(settings.values, settings.reservationKey));
      }
      return Object.values(snapshot).flatMap((read) => read?.unreadable ?? []);
    },
  };
}

function usersWithNewRole(users: readonly User[], directory: CatalogDirectory): string[] {
  const changed = users.filter(({ userId, role }) => {
    const before = directory.user(userId);
    return before !== undefined && before.role !== role;
  });
  return changed.map(({ userId }) => userId);
}

import type { PriceVersion } from "../pricing/price.js";
import { formatPriceId, toPriceVersion } from "./price-id.js";
import type { CollectionRead } from "./snapshot-store.js";
import type { ModelPrice } from "./types.js";

/** Knows which prices the price book holds, since reads are by model and tell not what is gone. */
export interface PriceShelf {
  /**
   * Takes new content of the models that were read.
   *
   * @returns the prices to add or exchange, and the ids of those that are gone
   */
  replace(read: CollectionRead<ModelPrice> | undefined): {
    readonly upserted: readonly PriceVersion[];
    readonly goneIds: readonly string[];
  };
}

/** Makes an empty shelf. */
export function createPriceShelf(): PriceShelf {
  const modelOf = new Map<string, string>();
  return {
    replace(read) {
      if (read === undefined) return { upserted: [], goneIds: [] };
      const { ids: models, entries, unreadable } = read;
      const there = new Set([...entries.map(formatPriceId), ...unreadable.map(({ id }) => id)]);
      const goneIds: string[] = [];
      for (const [id, model] of modelOf) {
        const wasRead = models === null || models.has(model);
        if (wasRead && !there.has(id)) goneIds.push(id);
      }
      for (const id of goneIds) modelOf.delete(id);
      for (const entry of entries) modelOf.set(formatPriceId(entry), entry.model);
      return { upserted: entries.map(toPriceVersion), goneIds };
    },
  };
}

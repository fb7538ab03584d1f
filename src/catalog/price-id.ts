import type { PriceVersion } from "../pricing/price.js";
import type { ModelPrice, PriceEntry } from "./types.js";

/** What identifies a price list entry. */
export type PriceKey = Pick<PriceEntry, "model" | "provider" | "effectiveTimeMs">;

/**
 * A price list entry's id: "gpt-4o@openai", "gpt-4o@*" for a global price, and
 * "gpt-4o@openai>2025-01-01T00:00:00.000Z" for one with a start. Two entries never have the same:
 * what follows the last "@" is the provider's, and what could be mistaken in it is escaped.
 */
export function formatPriceId({ model, provider, effectiveTimeMs }: PriceKey): string {
  const owner = provider === "" ? "*" : provider.replace(/[@*%>]/g, escapeCharacter);
  // toJSON() is null for a moment that no calendar has, which validation names by this id.
  const start =
    effectiveTimeMs === null ? "" : `>${new Date(effectiveTimeMs).toJSON() ?? effectiveTimeMs}`;
  return `${model}@${owner}${start}`;
}

/** A stored price as the price book takes it. */
export function toPriceVersion(price: Omit<ModelPrice, "source">): PriceVersion {
  return {
    priceId: formatPriceId(price),
    model: price.model,
    price: price.price,
    version: price.version,
    ...(price.provider !== "" && { provider: price.provider }),
    ...(price.effectiveTimeMs !== null && { effectiveFromMs: price.effectiveTimeMs }),
  };
}

function escapeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

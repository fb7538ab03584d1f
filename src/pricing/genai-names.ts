import type { ModelInfo, Provider } from "@pydantic/genai-prices";
import { literalNames, matchesName } from "./genai-match.js";

/**
 * The exact names by which a provider's models are priced, each with its model: every model's
 * id, and each name that a clause spells out or that is asked for, given to the first model
 * whose clause takes it. An id belongs to its own model whatever else takes it.
 *
 * @param wanted further names, which patterns may take
 */
export function modelsByName(
  provider: Provider,
  wanted: readonly string[],
): ReadonlyMap<string, ModelInfo> {
  const models = new Map(provider.models.map((model) => [model.id, model]));
  const literals = provider.models.flatMap((model) => literalNames(model.match));
  for (const name of [...literals, ...wanted]) {
    if (models.has(name) || !isWholeName(name)) continue;
    const model = provider.models.find((candidate) => matchesName(candidate.match, name));
    if (model !== undefined) models.set(name, model);
  }
  return models;
}

/** Not a bare beginning, as "magistral-small-" or "claude-sonnet-4@" are. */
function isWholeName(name: string): boolean {
  return /[a-z0-9]$/i.test(name);
}

import type { MatchLogic, Provider } from "@pydantic/genai-prices";

/**
 * Whether a name satisfies a clause of the collection. As in the package, names are compared
 * in lower case, and regular expressions see the lower-case name.
 */
export function matchesName(clause: MatchLogic, name: string): boolean {
  const lower = name.toLowerCase();
  if ("or" in clause) return clause.or.some((part) => matchesName(part, lower));
  if ("and" in clause) return clause.and.every((part) => matchesName(part, lower));
  if ("equals" in clause) return lower === clause.equals.toLowerCase();
  if ("starts_with" in clause) return lower.startsWith(clause.starts_with.toLowerCase());
  if ("ends_with" in clause) return lower.endsWith(clause.ends_with.toLowerCase());
  if ("contains" in clause) return lower.includes(clause.contains.toLowerCase());
  return new RegExp(clause.regex).test(lower);
}

/** The names that a clause spells out: what a name equals, or begins with and may end with too. */
export function literalNames(clause: MatchLogic): string[] {
  if ("or" in clause) return clause.or.flatMap(literalNames);
  if ("equals" in clause) return [clause.equals];
  if ("starts_with" in clause) return [clause.starts_with];
  return [];
}

/**
 * The provider that makes a model: the first whose `model_match` takes the name, as the package
 * finds the provider of a model that is named alone.
 */
export function makerOf(providers: readonly Provider[], name: string): Provider | undefined {
  return providers.find(
    ({ model_match: clause }) => clause !== undefined && matchesName(clause, name),
  );
}

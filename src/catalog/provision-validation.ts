import { type FieldViolation, violation } from "../errors.js";
import { periodViolations } from "./budget-validation.js";
import type { AutoProvision, DefaultBudget } from "./provision.js";

/** What the contract's rules cannot say about the setting: everything that is wrong with it. */
export function autoProvisionViolations(
  setting: AutoProvision | undefined,
  options: { readonly path: string; readonly isTimeZone: (name: string) => boolean },
): FieldViolation[] {
  if (setting === undefined) return [];
  const { path, isTimeZone } = options;
  const found: FieldViolation[] = [];
  if (setting.users && setting.userBudgets.length === 0) {
    const description =
      "is required when users are created; a budget without a limit lets them spend without one";
    found.push({ field: `${path}.user_budgets`, description });
  }
  for (const [name, budgets] of [
    ["user_budgets", setting.userBudgets],
    ["api_key_budgets", setting.apiKeyBudgets],
  ] as const) {
    found.push(...repeatedNames(`${path}.${name}`, budgets));
    for (const [index, { window }] of budgets.entries()) {
      found.push(...periodViolations(`${path}.${name}[${index}].window`, window, isTimeZone));
    }
  }
  return found;
}

function repeatedNames(path: string, budgets: readonly DefaultBudget[]): FieldViolation[] {
  const seen = new Set<string>();
  return budgets.flatMap(({ name }, index) => {
    const isNew = !seen.has(name);
    seen.add(name);
    return isNew ? [] : [violation(`${path}[${index}].name`, name, "must not be given twice")];
  });
}

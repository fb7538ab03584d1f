import type { Budget, QuotaDirectory, SpendSubject } from "./directory.js";

/**
 * The budgets that a recorded request charges: those of its key, its user, its provider, its
 * model, its tags, and those on everything. A request that names no user is its key's owner's; a
 * standalone key never charges its creator.
 */
export function budgetsCharged(directory: QuotaDirectory, subject: SpendSubject): Budget[] {
  const key = directory.apiKey(subject.apiKeyId);
  const found: Budget[] = [];
  add(found, directory.budgetsOf("API_KEY", subject.apiKeyId));
  if (key?.kind !== "STANDALONE") {
    add(found, directory.budgetsOf("USER", subject.userId || (key?.userId ?? "")));
  }
  addShared(found, directory, subject);
  return found;
}

/**
 * The budgets that a check is judged by: for a standalone key those on the key alone, else the
 * same as are charged.
 */
export function budgetsChecked(directory: QuotaDirectory, subject: SpendSubject): Budget[] {
  const isStandalone = directory.apiKey(subject.apiKeyId)?.kind === "STANDALONE";
  if (isStandalone) return [...directory.budgetsOf("API_KEY", subject.apiKeyId)];
  return budgetsCharged(directory, subject);
}

function addShared(found: Budget[], directory: QuotaDirectory, subject: SpendSubject): void {
  add(found, directory.budgetsOf("PROVIDER", subject.provider));
  add(found, directory.budgetsOf("MODEL", subject.model));
  for (const key in subject.tags) {
    add(found, directory.budgetsOf("TAG", `${key}=${subject.tags[key]}`));
  }
  add(found, directory.budgetsOf("GLOBAL", ""));
}

function add(found: Budget[], budgets: readonly Budget[]): void {
  for (const budget of budgets) found.push(budget);
}

import type { Transaction } from "../database/database.js";
import {
  alreadyExists,
  DomainError,
  describe,
  type ErrorResource,
  invalidField,
  notFound,
} from "../errors.js";
import { findAdjustment, insertTopUp, readPeriod } from "./adjustment-store.js";
import type { ChangeOrigin } from "./audit.js";
import type { CatalogChange, CatalogChanges } from "./changes.js";
import { documentOf } from "./dependents.js";
import { diffCatalog } from "./diff.js";
import { rowsOf } from "./document-rows.js";
import { readDocumentState, writeDocument } from "./document-store.js";
import { listEntries, readEntry } from "./entry-store.js";
import { ENTRY_TABLES } from "./entry-table.js";
import type { Budget } from "./types.js";

/** The most that a budget can hold. */
const MAX_LIMIT = 10n ** 18n;

/** The one period of a LIFETIME budget. */
const LIFETIME_START_MS = 0;

/** Money for a standalone key. */
export interface TopUpRequest {
  readonly apiKeyId: string;
  readonly amountNanoUsd: bigint;
  /** Names the top-up. */
  readonly requestId: string;
}

/** Where a balance stands. */
export interface TopUpResult {
  readonly budgetId: string;
  /** All that was put in, nano-USD. */
  readonly limit: bigint;
  readonly spent: bigint;
  readonly held: bigint;
  /** Whether the request had been here before. */
  readonly isReplay: boolean;
}

/** What top-ups are made of. */
export interface TopUpParts {
  readonly changes: CatalogChanges;
  /** Makes the id of a budget. */
  readonly makeId: () => string;
}

/**
 * Raises the balance of a standalone key, once for each request id.
 *
 * @throws DomainError RESOURCE_NOT_FOUND, TOP_UP_NOT_POSSIBLE, REQUEST_ID_CONFLICT, INVALID_FIELD
 */
export function topUp(
  { changes, makeId }: TopUpParts,
  request: TopUpRequest,
  origin: ChangeOrigin,
): Promise<TopUpResult> {
  return changes.make(origin, async (trx) => {
    const known = await findAdjustment(trx, request.requestId);
    if (known === undefined) return addMoney(trx, { request, origin, newId: makeId() });
    const budget = (await readEntry(trx, ENTRY_TABLES.budgets, [known.budgetId]))?.entry;
    const isSame =
      known.kind === "TOP_UP" &&
      known.amount === request.amountNanoUsd &&
      (budget === undefined || budget.subject === request.apiKeyId);
    if (!isSame) throw requestIdConflict(request.requestId);
    const limit = budget?.limit ?? 0n;
    return {
      result: await stateOf(trx, known.budgetId, limit, true),
      rows: new Map(),
      changes: [],
    };
  });
}

/** The request id was used for something else. */
export function requestIdConflict(requestId: string): DomainError {
  return alreadyExists("REQUEST_ID_CONFLICT", { type: "budget_adjustment", name: requestId });
}

async function addMoney(
  trx: Transaction,
  parts: { readonly request: TopUpRequest; readonly origin: ChangeOrigin; readonly newId: string },
): Promise<CatalogChange<TopUpResult>> {
  const { request, origin, newId } = parts;
  const current = (await findBalance(trx, request.apiKeyId)) ?? newBalance(newId, request.apiKeyId);
  const limit = (current.limit ?? 0n) + request.amountNanoUsd;
  if (limit > MAX_LIMIT) {
    const rule = `must not raise the balance's limit above ${MAX_LIMIT}`;
    throw invalidField("amount_nano_usd", request.amountNanoUsd, rule);
  }
  const document = documentOf("budgets", { ...current, limit });
  const state = await readDocumentState(trx, document, { locking: true });
  const { changed, changes } = diffCatalog(document, state);
  await writeDocument(trx, changed);
  await insertTopUp(trx, {
    budgetId: current.budgetId,
    periodStartMs: LIFETIME_START_MS,
    amount: request.amountNanoUsd,
    requestId: request.requestId,
    actor: origin.actor,
  });
  const result = await stateOf(trx, current.budgetId, limit, false);
  return { result, rows: rowsOf(changed), changes };
}

/** The budget that holds a key's balance; undefined when it has none yet. */
async function findBalance(trx: Transaction, apiKeyId: string): Promise<Budget | undefined> {
  const resource = { type: "api_key", name: apiKeyId };
  const key = (await readEntry(trx, ENTRY_TABLES.apiKeys, [apiKeyId]))?.entry;
  if (key === undefined) throw notFound("RESOURCE_NOT_FOUND", resource);
  if (key.kind !== "STANDALONE") {
    throw notPossible(resource, "is no standalone key, so that it has no balance");
  }
  const budgets = await listEntries(trx, ENTRY_TABLES.budgets, {
    filters: [
      ["scope", "API_KEY"],
      ["subject", apiKeyId],
      ["active", true],
    ],
  });
  const balances = budgets.map(({ entry }) => entry).filter(isBalance);
  const [balance, another] = balances;
  if (another !== undefined) {
    const ids = balances.map(({ budgetId }) => budgetId).join(", ");
    throw notPossible(resource, `has more than one balance (${ids}); change one by UpdateBudget`);
  }
  if (balance?.limit === null) {
    throw notPossible(resource, `has the balance ${balance.budgetId}, which has no limit to raise`);
  }
  return balance;
}

/** Whether what was put in is spent until it is gone. */
function isBalance({ measure, window, enforcement }: Budget): boolean {
  return measure === "COST" && window.kind === "LIFETIME" && enforcement === "HARD";
}

function newBalance(budgetId: string, apiKeyId: string): Budget {
  return {
    budgetId,
    scope: "API_KEY",
    subject: apiKeyId,
    measure: "COST",
    limit: 0n,
    window: { kind: "LIFETIME", timeZone: "UTC" },
    enforcement: "HARD",
    alertPercents: [],
    expireTimeMs: null,
    onUnavailable: "DENY",
    active: true,
  };
}

async function stateOf(
  trx: Transaction,
  budgetId: string,
  limit: bigint,
  isReplay: boolean,
): Promise<TopUpResult> {
  const period = await readPeriod(trx, { budgetId, periodStartMs: LIFETIME_START_MS });
  return { budgetId, limit, ...period, isReplay };
}

function notPossible(resource: ErrorResource, why: string): DomainError {
  return new DomainError("TOP_UP_NOT_POSSIBLE", `${describe(resource)} ${why}`, { resource });
}

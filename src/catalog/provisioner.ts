import type { Logger } from "pino";
import type { CatalogChanges } from "./changes.js";
import { diffCatalog } from "./diff.js";
import type { CatalogDirectory } from "./directory.js";
import type { CatalogDocument } from "./document.js";
import { rowsOf } from "./document-rows.js";
import type { ProvisionedEntries } from "./provision.js";
import { createProvisionLimiter } from "./provision-limiter.js";
import {
  candidatesFor,
  type ProvisionRequest,
  planProvision,
  type WantedEntries,
  wantedBy,
} from "./provision-plan.js";
import { insertProvisioned, readProvisioned } from "./provision-store.js";

/** How a provision ended: the directory knows more now, nothing is to be created, or not yet. */
export type ProvisionOutcome = "DONE" | "NOTHING" | { readonly retryAfterMs: number };

/** Creates users and keys that checks name, as the setting `auto_provision` says. */
export interface Provisioner {
  /**
   * Creates what the request needs with its default budgets, once, whatever the number of requests
   * and replicas that ask for it. When it resolves with DONE, this process's directory shows what
   * there is: it may have been created by somebody else.
   *
   * @throws when the database is away
   */
  provision(request: ProvisionRequest): Promise<ProvisionOutcome>;
}

/** What a provisioner is made of. */
export interface ProvisionerParts {
  readonly changes: CatalogChanges;
  readonly directory: CatalogDirectory;
  readonly logger: Logger;
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A clock that is never set back, in milliseconds. */
  readonly uptimeMs: () => number;
}

/** Requests of one transaction. */
const BATCH_SIZE = 100;

/** Requests that wait at most, whatever the setting lets through. */
const MAX_WAITING = 1_000;

/** When to ask again if too many wait. */
const CROWDED_RETRY_MS = 1_000;

const ORIGIN = { actor: "auto_provision", method: "CheckQuota", requestId: "" };

const NO_DOCUMENT: CatalogDocument = {
  users: [],
  apiKeys: [],
  providers: [],
  providerEndpoints: [],
  providerKeys: [],
  models: [],
  prices: [],
  budgets: [],
  settings: {},
};

/** One transaction that is to come, and those who wait for it. */
interface Batch {
  readonly wanted: Map<string, WantedEntries>;
  readonly done: Promise<void>;
}

/** Makes a provisioner. */
export function createProvisioner(parts: ProvisionerParts): Provisioner {
  const { changes, directory, logger } = parts;
  const limiter = createProvisionLimiter(parts.uptimeMs);
  /** By what they ask for. */
  const pending = new Map<string, Promise<void>>();
  let filling: Batch | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function enqueue(key: string, wanted: WantedEntries): Promise<void> {
    if (filling === undefined || filling.wanted.size >= BATCH_SIZE) filling = openBatch();
    filling.wanted.set(key, wanted);
    pending.set(key, filling.done);
    return filling.done;
  }

  /** It is written after those before it, and takes what comes until then. */
  function openBatch(): Batch {
    const wanted = new Map<string, WantedEntries>();
    const done = last.then(() => run(wanted));
    last = done.catch(() => undefined);
    return { wanted, done };
  }

  async function run(wanted: Batch["wanted"]): Promise<void> {
    if (filling?.wanted === wanted) filling = undefined;
    try {
      await write([...wanted.values()]);
    } finally {
      for (const key of wanted.keys()) pending.delete(key);
    }
  }

  async function write(wanted: readonly WantedEntries[]): Promise<void> {
    const setting = directory.settings.autoProvision;
    const candidates = candidatesFor(wanted, setting);
    const { entries, taken } = await changes.make(ORIGIN, async (trx) => {
      const existing = await readProvisioned(trx, idsOf(candidates));
      const plan = planProvision(candidates, existing, setting);
      await insertProvisioned(trx, plan.entries);
      return {
        result: plan,
        // What another replica created meanwhile is read too.
        rows: rowsOf({ ...NO_DOCUMENT, ...joined(existing, candidates) }),
        changes: diffCatalog({ ...NO_DOCUMENT, ...plan.entries }, NO_DOCUMENT).changes,
      };
    });
    for (const { budgetId } of taken) {
      logger.error({ budgetId }, "cannot provision: the id of a default budget is taken");
    }
    const { users, apiKeys } = entries;
    if (users.length + apiKeys.length === 0) return;
    logger.info({ users: users.length, apiKeys: apiKeys.length }, "users and keys provisioned");
  }

  return {
    async provision(request) {
      const setting = directory.settings.autoProvision;
      if (!setting.users && !setting.apiKeys) return "NOTHING";
      const wanted = wantedBy(directory, request, { setting, nowMs: parts.nowMs() });
      if (wanted === undefined) return "NOTHING";
      const key = JSON.stringify([wanted.userId, wanted.apiKeyId]);
      let done = pending.get(key);
      if (done === undefined) {
        if (pending.size >= MAX_WAITING) return { retryAfterMs: CROWDED_RETRY_MS };
        const retryAfterMs = limiter.take(setting.maxPerMinute);
        if (retryAfterMs > 0) return { retryAfterMs };
        done = enqueue(key, wanted);
      }
      await done;
      return "DONE";
    },
  };
}

function idsOf({ users, apiKeys, budgets }: ProvisionedEntries) {
  return {
    userIds: users.map(({ userId }) => userId),
    apiKeyIds: apiKeys.map(({ apiKeyId }) => apiKeyId),
    budgetIds: budgets.map(({ budgetId }) => budgetId),
  };
}

function joined(a: ProvisionedEntries, b: ProvisionedEntries): ProvisionedEntries {
  return {
    users: [...a.users, ...b.users],
    apiKeys: [...a.apiKeys, ...b.apiKeys],
    budgets: [...a.budgets, ...b.budgets],
  };
}

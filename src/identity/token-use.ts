import type { Logger } from "pino";
import type { TokenStore } from "./token-store.js";

/** Options of {@link createTokenUse}. */
export interface TokenUseOptions {
  readonly store: Pick<TokenStore, "markUsed">;
  /** How often uses are written down, in milliseconds. Default 60000. */
  readonly intervalMs?: number;
  readonly logger: Logger;
}

/** Notes which tokens are used, now in memory and soon in the database. */
export interface TokenUse {
  /** Costs no more than an entry in a set. */
  note(tokenId: string): void;
  start(): void;
  /** Writes down what was noted. A database that is away costs the note, nothing else. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_INTERVAL_MS = 60_000;

/** Makes it; nothing is written before `start`. */
export function createTokenUse(options: TokenUseOptions): TokenUse {
  const { store, intervalMs = DEFAULT_INTERVAL_MS, logger } = options;
  let used = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    if (used.size === 0) return;
    const tokenIds = [...used];
    used = new Set();
    await store
      .markUsed(tokenIds)
      .catch((error) => logger.warn({ err: error }, "cannot write down when tokens were used"));
  }

  return {
    note: (tokenId) => void used.add(tokenId),
    start() {
      timer = setInterval(() => void flush(), intervalMs);
      timer.unref();
    },
    flush,
    async stop() {
      clearInterval(timer);
      await flush();
    },
  };
}

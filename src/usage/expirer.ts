import type { CatalogDirectory } from "../catalog/directory.js";
import type { ActiveRow, ActiveStore } from "./active-store.js";
import type { RecordResult } from "./record-request.js";
import type { Recorder } from "./recorder.js";
import { expire, isStale, type Timeouts } from "./staleness.js";
import { isFinished, type UsageRecord } from "./usage-record.js";

/** Finds requests of which nothing is heard any more, and fails them. */
export interface Expirer {
  /** How many are stale. `timeoutMs` is of those without a timeout of their endpoint. */
  count(timeoutMs: number): Promise<number>;
  /**
   * Fails all that are stale: each once, however many replicas are at it.
   *
   * @returns how many this call failed
   */
  expire(timeoutMs: number): Promise<number>;
  /** The same records in the same order, of which those that are stale were failed. */
  expireAmong(records: readonly UsageRecord[], timeoutMs: number): Promise<UsageRecord[]>;
}

/** What an expirer is made of. */
export interface ExpirerParts {
  readonly store: Pick<ActiveStore, "readIdle">;
  readonly recorder: Pick<Recorder, "amend">;
  readonly directory: Pick<CatalogDirectory, "providerEndpoint" | "providerEndpoints">;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}

/** Records that are read, and failed, at a time. */
const PAGE_SIZE = 256;

/** Makes an expirer. */
export function createExpirer({ store, recorder, directory, nowUs }: ExpirerParts): Expirer {
  function timeoutsOf(defaultMs: number): Timeouts {
    const endpointMs = (id: string) =>
      directory.providerEndpoint(id)?.requestTimeoutMs ?? undefined;
    return { defaultMs, endpointMs };
  }

  function shortestMs(defaultMs: number): number {
    let shortest = defaultMs;
    for (const { requestTimeoutMs } of directory.providerEndpoints()) {
      shortest = Math.min(shortest, requestTimeoutMs ?? shortest);
    }
    return shortest;
  }

  /** Those idle for longer than the shortest timeout are read; which are stale is decided here. */
  async function* stalePages(timeoutMs: number): AsyncGenerator<readonly ActiveRow[]> {
    const timeouts = timeoutsOf(timeoutMs);
    const sinceUs = nowUs();
    const beforeUs = sinceUs - shortestMs(timeoutMs) * 1_000;
    let last: ActiveRow | undefined;
    do {
      const page = await store.readIdle(beforeUs, PAGE_SIZE, last);
      yield page.filter((row) => isStale(row, timeouts, sinceUs));
      last = page.length === PAGE_SIZE ? page.at(-1) : undefined;
    } while (last);
  }

  function fail(requestId: string, timeoutMs: number): Promise<RecordResult> {
    const timeouts = timeoutsOf(timeoutMs);
    return recorder.amend({ requestId, amend: (record) => expire(record, timeouts, nowUs()) });
  }

  return {
    async count(timeoutMs) {
      let count = 0;
      for await (const page of stalePages(timeoutMs)) count += page.length;
      return count;
    },
    async expire(timeoutMs) {
      let count = 0;
      for await (const page of stalePages(timeoutMs)) {
        const results = await Promise.all(page.map(({ requestId }) => fail(requestId, timeoutMs)));
        count += results.filter(({ outcome }) => outcome === "COMPLETED").length;
      }
      return count;
    },
    async expireAmong(records, timeoutMs) {
      const timeouts = timeoutsOf(timeoutMs);
      const readUs = nowUs();
      return Promise.all(
        records.map(async (record) => {
          const isOverdue = !isFinished(record.status) && isStale(record, timeouts, readUs);
          return isOverdue ? (await fail(record.requestId, timeoutMs)).record : record;
        }),
      );
    },
  };
}

import { Code } from "../gen/google/rpc/code_pb.js";
import type { Cache } from "./cache/cache.js";
import type { Authenticator } from "./caller.js";
import type { Database } from "./database/database.js";
import { DomainError } from "./errors.js";
import type { LedgerVerifier } from "./operations/verify.js";
import type { AlertStore } from "./quota/alert-store.js";
import type { CheckResult } from "./quota/check.js";
import type { Ledger } from "./quota/ledger.js";
import type { LedgerStore } from "./quota/ledger-store.js";
import type { CallObserver } from "./server/call-observer.js";
import { createCallMeter } from "./telemetry/call-metrics.js";
import { createMetrics, type LabelValues, type Metrics } from "./telemetry/metrics.js";
import { watchProcess } from "./telemetry/process-metrics.js";
import type { Expirer } from "./usage/expirer.js";
import type { Recorder } from "./usage/recorder.js";
import type { PurgeProgress, UsagePurger } from "./usage/retention/retention.js";
import type { UsageStore } from "./usage/usage-store.js";
import { readVersion } from "./version.js";

/**
 * The metrics of one app. Rooms know nothing of them: what they are given is wrapped, so that it is
 * counted on its way, or is read at each scrape.
 */
export interface AppMetrics {
  readonly metrics: Metrics;
  /** Counts the calls of a port. */
  observeCalls(port: "grpc" | "http"): CallObserver;
  authenticator(inner: Authenticator): Authenticator;
  usageStore(inner: UsageStore): UsageStore;
  ledgerStore(inner: LedgerStore): LedgerStore;
  alertStore(inner: AlertStore): AlertStore;
  expirer(inner: Expirer): Expirer;
  purger(inner: UsagePurger): UsagePurger;
  verifier(inner: LedgerVerifier): LedgerVerifier;
  cache(inner: Cache): Cache;
  countCheck(result: Pick<CheckResult, "allowed" | "reason">): void;
  countReserve(isFromMemory: boolean): void;
  watchRecorder(recorder: Pick<Recorder, "depth">, queueLimit: number): void;
  watchLedger(ledger: Pick<Ledger, "openCount">): void;
  watchPool(database: Pick<Database, "poolUsage">): void;
  /** Ends what watches the process. */
  stop(): void;
}

/** Makes the metrics of an app. */
export function createAppMetrics(): AppMetrics {
  const metrics = createMetrics();
  const stop = watchProcess(metrics, readVersion());
  const checks = countInMemory(metrics, "tally_quota_checks_total", (key) => key.split(" "));
  const reserves = countInMemory(metrics, "tally_ledger_reserves_total", (key) => [key]);
  return {
    metrics,
    stop,
    observeCalls: (port) => createCallMeter(metrics, port, (code) => Code[code] ?? String(code)),
    authenticator: (inner) => countFailedLogins(inner, metrics),
    usageStore: (inner) => timeCommits(inner, metrics),
    ledgerStore: (inner) => countLedgerMoves(inner, metrics),
    alertStore: (inner) => countAlerts(inner, metrics),
    expirer: (inner) => ({
      ...inner,
      async expire(timeoutMs) {
        const count = await inner.expire(timeoutMs);
        metrics.add("tally_stale_requests_failed_total", count);
        return count;
      },
    }),
    purger: (inner) => countPurged(inner, metrics),
    verifier: (inner) => ({
      async verify(options) {
        const report = await inner.verify(options);
        metrics.set("tally_ledger_drifts", Number(report.driftCount));
        metrics.set("tally_ledger_verified_timestamp_seconds", Date.now() / 1_000);
        return report;
      },
    }),
    cache: (inner) => countReads(inner, metrics),
    countCheck: ({ allowed, reason }) => checks(`${allowed} ${reason}`),
    countReserve: (isFromMemory) => reserves(isFromMemory ? "memory" : "database"),
    watchRecorder(recorder, queueLimit) {
      metrics.set("tally_recorder_queue_limit", queueLimit);
      metrics.onScrape(() => metrics.set("tally_recorder_queue_depth", recorder.depth));
    },
    watchLedger(ledger) {
      metrics.onScrape(() => metrics.set("tally_ledger_reservations_open", ledger.openCount));
    },
    watchPool(database) {
      metrics.onScrape(() => {
        const { used, idle, limit, waiting } = database.poolUsage();
        metrics.set("tally_database_connections", used, ["used"]);
        metrics.set("tally_database_connections", idle, ["idle"]);
        metrics.set("tally_database_connections_limit", limit);
        metrics.set("tally_database_waiting", waiting);
      });
    },
  };
}

/** Counts what every check does: a count is one look-up, and labels are made at the scrape. */
function countInMemory(
  metrics: Metrics,
  name: "tally_quota_checks_total" | "tally_ledger_reserves_total",
  toLabels: (key: string) => LabelValues,
): (key: string) => void {
  const counts = new Map<string, number>();
  metrics.onScrape(() => {
    for (const [key, count] of counts) metrics.set(name, count, toLabels(key));
  });
  return (key) => void counts.set(key, (counts.get(key) ?? 0) + 1);
}

function countFailedLogins(inner: Authenticator, metrics: Metrics): Authenticator {
  return {
    authenticate(credentials) {
      try {
        return inner.authenticate(credentials);
      } catch (error) {
        const reason = error instanceof DomainError ? error.reason : "INTERNAL";
        metrics.add("tally_failed_logins_total", 1, [reason]);
        throw error;
      }
    },
  };
}

function timeCommits(inner: UsageStore, metrics: Metrics): UsageStore {
  const records = metrics.histogram("tally_recorder_batch_records");
  const record = timing(metrics, "tally_recorder_commit_seconds", inner.record);
  const replace = timing(metrics, "tally_recorder_commit_seconds", inner.replace);
  return {
    ...inner,
    record(writes, lane) {
      records.observe(writes.length);
      return record(writes, lane);
    },
    replace(replacements, lane) {
      records.observe(replacements.length);
      return replace(replacements, lane);
    },
  };
}

function countLedgerMoves(inner: LedgerStore, metrics: Metrics): LedgerStore {
  const grow = timing(metrics, "tally_ledger_grow_seconds", inner.grow);
  return {
    ...inner,
    grow(request) {
      const refilled = request.periods.filter(({ extra }) => extra > 0n).length;
      metrics.add("tally_ledger_refills_total", refilled);
      return grow(request);
    },
    async tend(number, tendings) {
      try {
        const answer = await inner.tend(number, tendings);
        metrics.add("tally_ledger_tends_total", 1, ["ok"]);
        return answer;
      } catch (error) {
        metrics.add("tally_ledger_tends_total", 1, ["failed"]);
        throw error;
      }
    },
    async sweep(maxLeases) {
      const count = await inner.sweep(maxLeases);
      metrics.add("tally_ledger_swept_leases_total", count);
      return count;
    },
  };
}

/** Ids count alerts in the order in which they become visible, whoever fired them. */
function countAlerts(inner: AlertStore, metrics: Metrics): AlertStore {
  let first: bigint | undefined;
  return {
    ...inner,
    async publish() {
      const lastId = await inner.publish();
      first ??= lastId;
      metrics.set("tally_budget_alerts_total", Number(lastId - first));
      return lastId;
    },
  };
}

function countReads(inner: Cache, metrics: Metrics): Cache {
  return {
    async get(key) {
      const text = await inner.get(key);
      metrics.add("tally_cache_reads_total", 1, [text === undefined ? "miss" : "hit"]);
      return text;
    },
    set: (key, text, ttlMs) => inner.set(key, text, ttlMs),
    delete: (key) => inner.delete(key),
    deleteMatching: (prefix, isUnwanted) => inner.deleteMatching(prefix, isUnwanted),
    stop: () => inner.stop(),
  };
}

function countPurged(inner: UsagePurger, metrics: Metrics): UsagePurger {
  const KINDS = ["records", "bodies", "headers", "keys", "partitions"] as const;
  function count(step: PurgeProgress, before: PurgeProgress | undefined): void {
    for (const kind of KINDS) {
      metrics.add("tally_purged_total", step[kind] - (before?.[kind] ?? 0), [kind]);
    }
    if (!step.isDone) return;
    metrics.set("tally_purge_finished_timestamp_seconds", Date.now() / 1_000);
  }
  return {
    async *purge(options) {
      let last: PurgeProgress | undefined;
      for await (const step of inner.purge(options)) {
        // A copy: the purger may go on counting in what it told.
        const told = { ...step };
        count(told, last);
        last = told;
        yield step;
      }
    },
    async purgeIfDue(options, intervalMs) {
      const result = await inner.purgeIfDue(options, intervalMs);
      if (result) count(result, undefined);
      return result;
    },
  };
}

/** Times what a store does, by whether it worked. */
function timing<A extends unknown[], T>(
  metrics: Metrics,
  name: "tally_recorder_commit_seconds" | "tally_ledger_grow_seconds",
  work: (...args: A) => Promise<T>,
): (...args: A) => Promise<T> {
  const ok = metrics.histogram(name, ["ok"]);
  const failed = metrics.histogram(name, ["failed"]);
  return async (...args) => {
    const startedMs = performance.now();
    try {
      const result = await work(...args);
      ok.observe((performance.now() - startedMs) / 1_000);
      return result;
    } catch (error) {
      failed.observe((performance.now() - startedMs) / 1_000);
      throw error;
    }
  };
}

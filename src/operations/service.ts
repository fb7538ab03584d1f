import { type Duration, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import { implement, type ServiceHandlers, type ServiceImplementation } from "../server/handler.js";
import type { Repricer } from "../usage/reprice/repricer.js";
import type { RetentionLimits, UsagePurger } from "../usage/retention/retention.js";
import { fromProtoReprice, repriceViolations } from "./from-proto.js";
import { everySoOften } from "./progress.js";
import type { RollupRebuilder } from "./rebuild/rebuilder.js";
import type { ServerInfoStore } from "./server-info-store.js";
import { toProtoPurge, toProtoRebuild, toProtoReprice } from "./to-proto.js";
import type { LedgerVerifier } from "./verify.js";

/** What a server knows about itself without asking. */
export interface ServerInfo {
  /** Tally's version: "0.1.0". */
  readonly version: string;
  /** When the process started to serve, milliseconds since 1970. */
  readonly startTimeMs: number;
  /** This process in the ledger. */
  readonly replicaId: string;
  /** Whether PostgreSQL is the embedded one. */
  readonly isEmbedded: boolean;
}

/**
 * Requests that were begun and not heard of any more. Timeouts are milliseconds, of requests whose
 * endpoint has none of its own.
 */
export interface StaleRequests {
  count(timeoutMs: number): Promise<number>;
  /** @returns how many were failed */
  expire(timeoutMs: number): Promise<number>;
}

/** What the service is made of. */
export interface OperationsServiceParts {
  readonly verifier: LedgerVerifier;
  readonly store: ServerInfoStore;
  readonly info: ServerInfo;
  readonly purger: UsagePurger;
  /** How long things are kept by the settings of now. */
  readonly retentionLimits: () => RetentionLimits;
  readonly repricer: Repricer;
  readonly rebuilder: RollupRebuilder;
  /** Milliseconds of a clock that never jumps. */
  readonly nowMs: () => number;
  readonly staleRequests: StaleRequests;
}

const DEFAULT_MAX_DRIFTS = 100;
const DEFAULT_STALE_TIMEOUT_MS = 600_000;
const DEFAULT_DAYS_TO_KEEP = 90;
const DEFAULT_PURGE_BATCH_SIZE = 1_000;

/** Between two messages of progress. */
const PROGRESS_INTERVAL_MS = 1_000;

/** Makes the Operations service. */
export function createOperationsService({
  verifier,
  store,
  info,
  purger,
  retentionLimits,
  repricer,
  rebuilder,
  nowMs,
  staleRequests,
}: OperationsServiceParts): ServiceImplementation<typeof Operations> {
  const pace = { intervalMs: PROGRESS_INTERVAL_MS, nowMs };
  const handlers: ServiceHandlers<typeof Operations> = {
    async verifyLedger({ maxDrifts }, context) {
      const { totalCostNanoUsd, snapshotTimeMs, drifts, ...counts } = await verifier.verify({
        maxDrifts: maxDrifts || DEFAULT_MAX_DRIFTS,
        throwIfOver: () => context.throwIfOver(),
      });
      return {
        ...counts,
        drifts: [...drifts],
        totalCostNanoUsd: totalCostNanoUsd.toString(),
        snapshotTime: timestampFromMs(snapshotTimeMs),
      };
    },
    async *purgeUsage({ daysToKeep, batchSize }, { signal }) {
      const steps = purger.purge({
        trigger: "CALL",
        limits: { ...retentionLimits(), recordDays: daysToKeep || DEFAULT_DAYS_TO_KEEP },
        batchSize: batchSize || DEFAULT_PURGE_BATCH_SIZE,
        signal,
      });
      for await (const step of everySoOften(steps, pace)) yield toProtoPurge(step);
    },
    async countStaleRequests({ timeout }) {
      return { staleCount: BigInt(await staleRequests.count(staleTimeoutMs(timeout))) };
    },
    async expireStaleRequests({ timeout }) {
      return { expiredCount: BigInt(await staleRequests.expire(staleTimeoutMs(timeout))) };
    },
    async *reprice(request, { identity, signal }) {
      const steps = repricer.reprice({
        parameters: fromProtoReprice(request),
        requestId: request.dryRun ? undefined : request.requestId,
        requestedBy: identity.name,
        signal,
      });
      for await (const step of everySoOften(steps, pace))
        yield toProtoReprice(step, request.dryRun);
    },
    async *rebuildRollups(_request, { signal }) {
      for await (const step of everySoOften(rebuilder.rebuild(signal), pace))
        yield toProtoRebuild(step);
    },
    async getServerInfo() {
      return {
        version: info.version,
        startTime: timestampFromMs(info.startTimeMs),
        replicaId: info.replicaId,
        databaseVersion: await store.readDatabaseVersion(),
        embeddedDatabase: info.isEmbedded,
      };
    },
  };
  return implement(Operations, handlers, { reprice: repriceViolations });
}

function staleTimeoutMs(timeout: Duration | undefined): number {
  return timeout === undefined ? DEFAULT_STALE_TIMEOUT_MS : durationMs(timeout);
}

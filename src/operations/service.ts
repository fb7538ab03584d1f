import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import { implement, type ServiceImplementation } from "../server/handler.js";
import type { ServerInfoStore } from "./server-info-store.js";
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

/** What the service is made of. */
export interface OperationsServiceParts {
  readonly verifier: LedgerVerifier;
  readonly store: ServerInfoStore;
  readonly info: ServerInfo;
}

const DEFAULT_MAX_DRIFTS = 100;

/** Makes the Operations service. */
export function createOperationsService({
  verifier,
  store,
  info,
}: OperationsServiceParts): ServiceImplementation<typeof Operations> {
  return implement(Operations, {
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
    async getServerInfo() {
      return {
        version: info.version,
        startTime: timestampFromMs(info.startTimeMs),
        replicaId: info.replicaId,
        databaseVersion: await store.readDatabaseVersion(),
        embeddedDatabase: info.isEmbedded,
      };
    },
  });
}

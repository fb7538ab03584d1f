import { Analytics } from "../../gen/tally/v1/analytics_pb.js";
import { Catalog } from "../../gen/tally/v1/catalog_pb.js";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import {
  type ClientCredentials,
  createGrpcClient,
  type GrpcClient,
} from "../client/grpc-client.js";

/** A client of each service of one server. */
export interface TallyClients {
  readonly checker: GrpcClient<typeof QuotaChecker>;
  readonly recorder: GrpcClient<typeof UsageRecorder>;
  readonly catalog: GrpcClient<typeof Catalog>;
  readonly analytics: GrpcClient<typeof Analytics>;
  readonly operations: GrpcClient<typeof Operations>;
  /** Closes the connections; calls that are under way fail. */
  close(): void;
}

/** Large answers of the catalog and of VerifyLedger take longer than a single request may. */
const LONG_CALL_TIMEOUT_MS = 120_000;

/**
 * Makes the clients; they connect at their first call.
 *
 * @param address HOST:PORT or unix:/PATH
 * @param connections connections for checks, and as many for records
 */
export function createTallyClients(
  address: string,
  connections: number,
  credentials: ClientCredentials = {},
): TallyClients {
  const services = {
    checker: createGrpcClient(QuotaChecker, address, { ...credentials, connections }),
    recorder: createGrpcClient(UsageRecorder, address, { ...credentials, connections }),
    catalog: createGrpcClient(Catalog, address, {
      ...credentials,
      timeoutMs: LONG_CALL_TIMEOUT_MS,
    }),
    analytics: createGrpcClient(Analytics, address, credentials),
    operations: createGrpcClient(Operations, address, {
      ...credentials,
      timeoutMs: LONG_CALL_TIMEOUT_MS,
    }),
  };
  return {
    ...services,
    close() {
      for (const client of Object.values(services)) client.close();
    },
  };
}

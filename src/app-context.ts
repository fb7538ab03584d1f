import type { Logger } from "pino";
import type { AppMetrics } from "./app-metrics.js";
import type { Config } from "./config.js";
import type { TlsKeeper } from "./server/tls.js";
import type { Storage } from "./storage.js";
import type { Tracing } from "./telemetry/tracing.js";

/** What every part is given. */
export interface AppContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly storage: Storage;
  /** Undefined: nothing is encrypted. */
  readonly tls: TlsKeeper | undefined;
  /** This process in the ledger; a new one each start, for leases of a dead one are not its own. */
  readonly replicaId: string;
  /** The clock of records, microseconds since 1970, in whole milliseconds. */
  readonly nowUs: () => number;
  readonly metrics: AppMetrics;
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
}

/** A part that was started, to be stopped in reverse order. */
export type Stop = () => Promise<void>;

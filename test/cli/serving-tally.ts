import { type Ended, startTally } from "./run-tally.js";

/** `tally serve` in a process of its own. */
export interface ServingTally {
  /** Where it listens. */
  readonly address: string;
  /** Where its HTTP port listens. */
  readonly httpAddress: string;
  /** What it has logged so far. */
  stderr(): string;
  readonly pid: number;
  /** Ends it without any warning, as a lost machine would. */
  kill(): Promise<Ended>;
  /** Asks it to stop. */
  stop(): Promise<Ended>;
}

/**
 * Starts a server and waits until it is ready. Port 0 of the address takes a free one.
 *
 * @param env - further settings by the names of their environment variables
 */
export async function serveTally(
  dataDir: string,
  address = "127.0.0.1:0",
  env: Record<string, string> = {},
): Promise<ServingTally> {
  const running = startTally(["serve"], {
    TALLY_DATA_DIR: dataDir,
    TALLY_GRPC_ADDRESS: address,
    TALLY_LOG_LEVEL: "warn",
    ...env,
  });
  const ready = /^tally ready grpc=(\S+) http=(\S+)$/m;
  const [, grpcAddress = "", httpAddress = ""] = await running.waitForOutput(ready);
  const end = (signal: NodeJS.Signals) => {
    running.process.kill(signal);
    return running.ended;
  };
  return {
    address: grpcAddress,
    httpAddress,
    pid: running.process.pid as number,
    stderr: running.stderr,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

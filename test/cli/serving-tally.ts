import { type Ended, startTally } from "./run-tally.js";

/** `tally serve` in a process of its own. */
export interface ServingTally {
  /** Where it listens. */
  readonly address: string;
  /** Ends it without any warning, as a lost machine would. */
  kill(): Promise<Ended>;
  /** Asks it to stop. */
  stop(): Promise<Ended>;
}

/** Starts a server and waits until it is ready. Port 0 of the address takes a free one. */
export async function serveTally(dataDir: string, address = "127.0.0.1:0"): Promise<ServingTally> {
  const running = startTally(["serve"], {
    TALLY_DATA_DIR: dataDir,
    TALLY_GRPC_ADDRESS: address,
    TALLY_LOG_LEVEL: "warn",
  });
  const [, grpcAddress = ""] = await running.waitForOutput(/^tally ready grpc=(\S+)$/m);
  const end = (signal: NodeJS.Signals) => {
    running.process.kill(signal);
    return running.ended;
  };
  return { address: grpcAddress, kill: () => end("SIGKILL"), stop: () => end("SIGTERM") };
}

import { constants } from "node:os";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * From now on SIGTERM and SIGINT abort the returned signal instead of ending the process; a
 * second one ends it at once, with the exit code that shells expect (128 + number). For commands
 * with something to finish; the others end at the first, as is Node's default.
 *
 * @returns aborts with a {@link StopRequest}
 */
export function catchStopSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
      controller.abort(new StopRequest(name));
    });
  }
  return controller.signal;
}

/** Somebody asked the process to stop. */
export class StopRequest extends Error {
  override readonly name = "StopRequest";

  constructor(readonly signalName: (typeof SIGNALS)[number]) {
    super(`stopped by ${signalName}`);
  }

  /** What shells expect of a process that did not finish for this reason. */
  get exitCode(): number {
    return 128 + constants.signals[this.signalName];
  }
}

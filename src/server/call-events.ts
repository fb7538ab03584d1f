import type { EventEmitter } from "node:events";

/** Events of a stream, to wait for between looks at its state. */
export interface CallEvents {
  /** Resolves at the next event of any of the names, or when the signal aborts. */
  next(): Promise<void>;
  /** Wakes whoever waits for the next event. */
  wake(): void;
  /** Leaves no listener behind. */
  stop(): void;
}

/** Listens once for the whole call: doing so for each message costs more than its decoding. */
export function listenTo(
  stream: EventEmitter,
  names: readonly string[],
  signal?: AbortSignal,
): CallEvents {
  let wake = () => {};
  const onEvent = () => wake();
  for (const name of names) stream.on(name, onEvent);
  signal?.addEventListener("abort", onEvent);
  return {
    next: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
    wake: onEvent,
    stop() {
      for (const name of names) stream.off(name, onEvent);
      signal?.removeEventListener("abort", onEvent);
    },
  };
}

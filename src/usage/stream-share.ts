import type { InFlightLimits } from "./in-order.js";

/**
 * What all streams of a process may have under way together, so that its memory is bounded however
 * many there are. An item holds some 3 KiB until its answer was taken, and its bytes.
 */
const ALL_ITEMS = 16_384;
const ALL_BYTES = 64 * 1024 * 1024;

/** A lone stream can fill both lanes' batches, those under way and those that form. */
const MOST_ITEMS = 1_024;
const MOST_BYTES = 16 * 1024 * 1024;

/** Below this a stream would pay a commit for very few records. */
const FEWEST_ITEMS = 16;

/** Shares what may be under way evenly among the streams that are open. */
export interface StreamShares {
  /** Takes a share for one more stream, which is to be left when the stream ends. */
  join(): { readonly limits: Pick<InFlightLimits, "items" | "bytes">; leave(): void };
}

/** Makes the shares of one process. */
export function createStreamShares(): StreamShares {
  let streams = 0;
  const limits = {
    items: () => Math.max(FEWEST_ITEMS, Math.min(MOST_ITEMS, Math.floor(ALL_ITEMS / streams))),
    bytes: () => Math.min(MOST_BYTES, Math.floor(ALL_BYTES / streams)),
  };
  return {
    join() {
      streams += 1;
      return {
        limits,
        leave() {
          streams -= 1;
        },
      };
    },
  };
}

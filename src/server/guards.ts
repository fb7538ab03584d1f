import type { CallContext } from "./context.js";

/**
 * Lets a call in or throws. Runs before anything of the request is decoded, and before it is known
 * who calls.
 */
export type CallGuard = (context: CallContext) => void | Promise<void>;

/** In the order in which they run. What a call pays for comes after what refuses it cheaply. */
export const defaultGuards: readonly CallGuard[] = [
  // Work that nobody waits for any more is not begun.
  (context) => context.throwIfOver(),
];

import type { CallContext } from "./context.js";

/** Lets a call in or throws. Runs before anything of the request is decoded. */
export type CallGuard = (context: CallContext) => void | Promise<void>;

/** In the order in which they run. What a call pays for comes after what refuses it cheaply. */
export const defaultGuards: readonly CallGuard[] = [
  // Work that nobody waits for any more is not begun.
  (context) => context.throwIfOver(),
  // Callers are to be known from here on: authentication goes here.
];

import type { ValueKind } from "./config-values.js";

/** A setting that a variable or a file can give. */
export interface Setting<T> {
  /** Name of the environment variable. */
  readonly name: string;
  /** What holds when it is unset or empty, as one would write it; undefined: nothing. */
  readonly default: string | undefined;
  readonly kind: ValueKind<T>;
  /** What it is for, and why one would change it. Markdown. */
  readonly doc: string;
}

/** A command cannot do what it was asked to; the message is for people. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** What to do about it; undefined when the message says it all. */
  readonly hint: string | undefined;

  constructor(message: string, details: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.hint = details.hint;
  }
}

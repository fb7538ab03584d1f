import { showValue } from "../ascii.js";

/** Where a trace is read: the file as it was named, and the line, from 1. */
export interface TracePosition {
  readonly file: string;
  readonly line: number;
}

/** A trace that cannot be read, with the place: "trace.jsonl:17: input_length: must be ...". */
export class TraceError extends Error {
  override readonly name = "TraceError";

  constructor({ file, line }: TracePosition, problem: string) {
    super(`${file}:${line}: ${problem}`);
  }
}

/** A field that breaks a rule; the error repeats its value. */
export function traceFieldError(
  position: TracePosition,
  field: string,
  { value, rule }: { readonly value: unknown; readonly rule: string },
): TraceError {
  return new TraceError(position, `${field}: ${rule} (was ${showValue(value)})`);
}

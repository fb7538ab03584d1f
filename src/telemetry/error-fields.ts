/** An error as a log line holds it. */
export interface ErrorFields {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: ErrorFields;
  /** What an AggregateError holds. */
  readonly errors?: readonly ErrorFields[];
  readonly [field: string]: unknown;
}

/**
 * The other fields of errors that are worth a line. A list of what is wanted, since PostgreSQL's
 * `detail` and `where` repeat rows: "Failing row contains (...)" would log a stored body.
 */
const WANTED_FIELDS = [
  "code",
  "reason",
  "severity",
  "schema",
  "table",
  "column",
  "constraint",
  "routine",
  "syscall",
  "address",
  "port",
  "path",
];

const MAX_CAUSES = 5;
const MAX_ERRORS = 5;

/** The error and its causes, without fields that can hold what callers sent. */
export function serializeError(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const fields: Record<string, unknown> = {};
  for (const name of WANTED_FIELDS) {
    const value: unknown = Reflect.get(error, name);
    if (value !== undefined) fields[name] = value;
  }
  return {
    type: error.name,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...fields,
    ...(depth < MAX_CAUSES ? nestedErrors(error, depth + 1) : {}),
  };
}

function nestedErrors(error: Error, depth: number): Partial<ErrorFields> {
  const { cause } = error;
  const errors = error instanceof AggregateError ? error.errors.slice(0, MAX_ERRORS) : [];
  return {
    ...(cause === undefined ? {} : { cause: serializeError(cause, depth) }),
    ...(errors.length === 0
      ? {}
      : { errors: errors.map((nested) => serializeError(nested, depth)) }),
  };
}

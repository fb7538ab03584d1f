import { showValue } from "./ascii.js";

/** What an error means to the one who called, whatever the transport calls it. */
export type ErrorKind =
  | "invalid-argument"
  | "not-found"
  | "already-exists"
  | "failed-precondition"
  | "unauthenticated"
  | "permission-denied"
  | "aborted"
  | "unavailable"
  | "overloaded"
  | "too-large"
  | "deadline-exceeded"
  | "cancelled"
  | "unimplemented"
  | "internal";

/**
 * Every reason that an error can have, by its name in `tally.v1.ErrorReason` without the
 * prefix, and the kind of error that it is.
 */
export const ERROR_KINDS = {
  INVALID_FIELD: "invalid-argument",
  MALFORMED_REQUEST: "invalid-argument",
  REQUEST_TOO_LARGE: "too-large",
  USAGE_RECORD_CONFLICT: "already-exists",
  USAGE_RECORD_NOT_FOUND: "not-found",
  USAGE_STATUS_CONFLICT: "failed-precondition",
  RESERVATION_INVALID: "invalid-argument",
  RESERVATION_ENDED: "failed-precondition",
  SUBJECT_NOT_FOUND: "not-found",
  CATALOG_INVALID: "invalid-argument",
  CREDENTIALS_MISSING: "unauthenticated",
  CREDENTIALS_INVALID: "unauthenticated",
  CREDENTIALS_EXPIRED: "unauthenticated",
  PERMISSION_DENIED: "permission-denied",
  TOKEN_NOT_FOUND: "not-found",
  DATABASE_UNAVAILABLE: "unavailable",
  OVERLOADED: "overloaded",
  RATE_LIMITED: "overloaded",
  SHUTTING_DOWN: "unavailable",
  DEADLINE_EXCEEDED: "deadline-exceeded",
  CANCELLED: "cancelled",
  UNIMPLEMENTED: "unimplemented",
  INTERNAL: "internal",
  USAGE_RECORD_PURGED: "failed-precondition",
  TASK_UNDER_WAY: "failed-precondition",
  TASK_CONFLICT: "already-exists",
  RESOURCE_NOT_FOUND: "not-found",
  RESOURCE_ALREADY_EXISTS: "already-exists",
  RESOURCE_IN_USE: "failed-precondition",
  ETAG_MISMATCH: "aborted",
  TOP_UP_NOT_POSSIBLE: "failed-precondition",
  REQUEST_ID_CONFLICT: "already-exists",
} as const satisfies Record<string, ErrorKind>;

/** Machine-readable reason of an error; see proto/tally/v1/error_reason.proto. */
export type ErrorReason = keyof typeof ERROR_KINDS;

/** One field of a request that breaks a rule. */
export interface FieldViolation {
  /** Path as the contract writes it: `usage.tags["team"]`, `requests[3].usage.model`. */
  readonly field: string;
  /** The rule and the value that breaks it: "must be greater than or equal to 0 (was -5)". */
  readonly description: string;
}

/** The thing that an error is about. */
export interface ErrorResource {
  /** Kind of thing as the contract names it: "usage_record", "budget". */
  readonly type: string;
  /** Its id. */
  readonly name: string;
}

/** Something that stands in the way of what was asked. */
export interface ErrorObstacle {
  readonly resource: ErrorResource;
  /** Why: 'refers to user "alice"'. */
  readonly description: string;
}

/** What an error carries beside its reason and its text. */
export interface DomainErrorDetails {
  /** Every violated field, for invalid arguments. */
  readonly violations?: readonly FieldViolation[];
  /** When trying again makes sense, in milliseconds from now. Default: the transport's. */
  readonly retryAfterMs?: number;
  readonly resource?: ErrorResource;
  /** Everything that stands in the way, for failed preconditions. Default: the resource alone. */
  readonly obstacles?: readonly ErrorObstacle[];
  /** What went wrong underneath. Logged, never sent. */
  readonly cause?: unknown;
}

/**
 * The error that every room throws for what a caller can understand. Anything else that is
 * thrown counts as a defect. The message is sent to the caller, so it names the field or the
 * thing and its value, and nothing of our inside.
 */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly kind: ErrorKind;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly resource: ErrorResource | undefined;
  readonly obstacles: readonly ErrorObstacle[];

  constructor(
    readonly reason: ErrorReason,
    message: string,
    details: DomainErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = ERROR_KINDS[reason];
    this.violations = details.violations ?? [];
    this.retryAfterMs = details.retryAfterMs;
    this.resource = details.resource;
    this.obstacles = details.obstacles ?? [];
  }
}

/** A violation whose description repeats the offending value, cut and in ASCII. */
export function violation(field: string, value: unknown, rule: string): FieldViolation {
  return { field, description: `${rule} (was ${showValue(value)})` };
}

/** One field breaks a rule, for instance `invalidField("hours", 0, "must be at least 1")`. */
export function invalidField(field: string, value: unknown, rule: string): DomainError {
  return invalidFields([violation(field, value, rule)]);
}

/** How many violations the text of an error names; its details name them all. */
const MAX_NAMED_VIOLATIONS = 3;

/**
 * Fields break rules; every one of them is in the error.
 *
 * @param violations - at least one.
 * @param reason - a narrower reason than INVALID_FIELD, when there is one.
 */
export function invalidFields(
  violations: readonly FieldViolation[],
  reason: ErrorReason = "INVALID_FIELD",
): DomainError {
  const named = violations.slice(0, MAX_NAMED_VIOLATIONS);
  const text = named.map(({ field, description }) => `${field}: ${description}`).join("; ");
  const more = violations.length - named.length;
  const message = more > 0 ? `${text}; and ${more} more` : text;
  return new DomainError(reason, message, { violations });
}

/** The request could not be decoded. `detail` says why, without quoting the decoder. */
export function malformedRequest(detail: string, cause?: unknown): DomainError {
  return new DomainError("MALFORMED_REQUEST", detail, { cause });
}

/** A message of the request is over the limit. It stays so: trying again is of no use. */
export function requestTooLarge(maxBytes: number): DomainError {
  const message = `the request is larger than ${maxBytes} bytes, which is the limit here`;
  return new DomainError("REQUEST_TOO_LARGE", message);
}

/** The thing does not exist. */
export function notFound(reason: ErrorReason, resource: ErrorResource): DomainError {
  return new DomainError(reason, `${describe(resource)} does not exist`, { resource });
}

/** The thing is there already. */
export function alreadyExists(reason: ErrorReason, resource: ErrorResource): DomainError {
  return new DomainError(reason, `${describe(resource)} exists already`, { resource });
}

/** The database cannot be reached, or did not answer in time. */
export function databaseUnavailable(cause?: unknown): DomainError {
  const message = "the database is unavailable; try again";
  return new DomainError("DATABASE_UNAVAILABLE", message, { cause });
}

/** Whether a room gave up for want of the database. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return error instanceof DomainError && error.reason === "DATABASE_UNAVAILABLE";
}

/** The server is stopping and takes no new work. */
export function shuttingDown(): DomainError {
  return new DomainError("SHUTTING_DOWN", "the server is stopping; try again");
}

/** The deadline passed before the work began. */
export function deadlineExceeded(): DomainError {
  return new DomainError(
    "DEADLINE_EXCEEDED",
    "the deadline passed before the work began; nothing was done",
  );
}

/** The deadline passed while the work was under way. */
export function deadlinePassed(): DomainError {
  return new DomainError(
    "DEADLINE_EXCEEDED",
    "the deadline passed before the answer was there; the work may have been done all the same",
  );
}

/** The caller went away before the work began. */
export function cancelled(): DomainError {
  return new DomainError("CANCELLED", "the call was cancelled");
}

/** The thing for people: 'user "alice"'. */
export function describe({ type, name }: ErrorResource): string {
  return `${type.replaceAll("_", " ")} ${showValue(name)}`;
}

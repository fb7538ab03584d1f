/** The database cannot be reached or cannot serve now; the same work may succeed later. */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
}

/**
 * SQLSTATEs that say "not now", whatever the statement was.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const UNAVAILABLE_SQLSTATES = new Set([
  "53000", // insufficient_resources
  "53100", // disk_full
  "53200", // out_of_memory
  "53300", // too_many_connections
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout
  "58030", // io_error
]);

/** Class 08 is "connection exception". */
const CONNECTION_EXCEPTION_CLASS = "08";

/** 40001 serialization_failure, 40P01 deadlock_detected: nothing was done, so do it again. */
const RETRYABLE_SQLSTATES = new Set(["40001", "40P01"]);

/** Codes of Node's sockets and resolver. ENOENT (no unix socket) counts only from connect(). */
const NETWORK_CODES = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/**
 * pg gives these no code when it lost a connection or could not make one in time, nor does
 * Knex when its pool is closed. Knex puts the statement and a dash before the message of pg.
 */
const UNAVAILABLE_MESSAGE = new RegExp(
  `(^| - )(${[
    "Connection terminated",
    "Connection terminated unexpectedly",
    "Connection terminated due to connection timeout",
    "Client has encountered a connection error and is not queryable",
    "Client was closed and is not queryable",
    "timeout expired",
    "Unable to acquire a connection",
  ].join("|")})$`,
);

interface ErrorFields {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly errors?: unknown;
  readonly constraint?: unknown;
}

function fieldsOf(error: unknown): ErrorFields {
  return typeof error === "object" && error !== null ? error : {};
}

/** The SQLSTATE or system error code of an error, when it has one. */
export function errorCode(error: unknown): string | undefined {
  const { code } = fieldsOf(error);
  return typeof code === "string" ? code : undefined;
}

/**
 * True when the error says that the database is away, starting, stopping, full or out of
 * connections, and not that something is wrong with the statement. Whether a statement that
 * was in flight took effect is unknown.
 */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseUnavailableError) return true;
  const { name, message, syscall, errors } = fieldsOf(error);
  if (name === "KnexTimeoutError") return true;
  // Node tries every address of a host and reports all failures together.
  if (Array.isArray(errors)) return errors.length > 0 && errors.every(isUnavailable);
  const code = errorCode(error);
  if (code !== undefined) {
    if (NETWORK_CODES.has(code) || UNAVAILABLE_SQLSTATES.has(code)) return true;
    if (code === "ENOENT") return syscall === "connect";
    return /^[0-9A-Z]{5}$/.test(code) && code.startsWith(CONNECTION_EXCEPTION_CLASS);
  }
  return typeof message === "string" && UNAVAILABLE_MESSAGE.test(message);
}

/**
 * True when a row has no partition to go to. PostgreSQL gives it the code of a check that fails,
 * but names no constraint.
 */
export function isMissingPartition(error: unknown): boolean {
  return errorCode(error) === "23514" && fieldsOf(error).constraint === undefined;
}

/**
 * True for a deadlock or a serialization failure: PostgreSQL rolled the transaction back,
 * so that running all of it again is safe and likely to succeed.
 */
export function isRetryable(error: unknown): boolean {
  const code = errorCode(error);
  return code !== undefined && RETRYABLE_SQLSTATES.has(code);
}

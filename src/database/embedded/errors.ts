/** What went wrong with the embedded PostgreSQL; each has its own remedy in the message. */
export type EmbeddedPostgresErrorCode =
  | "UNSUPPORTED_PLATFORM"
  | "BINARIES_MISSING"
  | "BINARIES_UNUSABLE"
  | "DIRECTORY_IN_USE"
  | "DIRECTORY_DENIED"
  | "NOT_A_CLUSTER"
  | "VERSION_MISMATCH"
  | "INITDB_FAILED"
  | "START_FAILED"
  | "START_TIMEOUT"
  | "STOP_TIMEOUT";

/** An error whose message tells an operator what happened and what to do about it. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const PERMISSION_CODES = new Set(["EACCES", "EPERM", "EROFS"]);

/** True when the operating system refused an access, rather than lacked the thing. */
export function isPermissionError(error: unknown): boolean {
  return PERMISSION_CODES.has(systemCode(error) ?? "");
}

/** The `code` of a Node system error, such as ENOENT. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

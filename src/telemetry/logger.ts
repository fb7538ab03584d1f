import { type DestinationStream, type Logger, type LoggerOptions, pino } from "pino";
import { serializeError } from "./error-fields.js";

/** How much is logged, from everything to nothing. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Options of {@link createLogger}. */
export interface LoggerSettings {
  /** Default "info". */
  readonly level?: LogLevel;
  /** Which part of Tally writes, shown with every line. Default "tally". */
  readonly name?: string;
  /** Where lines go. Default: standard error, where they never mix with a command's output. */
  readonly destination?: DestinationStream;
}

/** Headers, bodies and credentials, under every name that they have in this code. */
const PRIVATE_FIELDS = [
  "authorization",
  "headers",
  "metadata",
  "payload",
  "requestBody",
  "requestHeaders",
  "providerRequestHeaders",
  "responseBody",
  "responseHeaders",
  "request_body",
  "request_headers",
  "provider_request_headers",
  "response_body",
  "response_headers",
];

const PRIVATE_PATHS = PRIVATE_FIELDS.flatMap((field) => [field, `*.${field}`]);

/**
 * Writes one JSON object a line, with times in ISO 8601. Lines are written in the background and
 * flushed when the process exits. Headers and bodies never reach a line.
 */
export function createLogger(settings: LoggerSettings = {}): Logger {
  const options: LoggerOptions = {
    name: settings.name ?? "tally",
    level: settings.level ?? "info",
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: PRIVATE_PATHS, censor: "[redacted]" },
    serializers: { err: serializeError },
    formatters: { level: (label) => ({ level: label }) },
  };
  return pino(options, settings.destination ?? pino.destination({ fd: 2, sync: false }));
}

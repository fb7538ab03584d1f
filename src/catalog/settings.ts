import { type AutoProvision, NO_PROVISION } from "./provision.js";

/** What is kept of headers and bodies: nothing, headers, or both. */
export type RequestLogLevel = "BASIC" | "HEADERS" | "FULL";

/** What a token estimate for a model without a price gets: denied, or judged as costing nothing. */
export type UnpricedModelPolicy = "DENY" | "ALLOW";

/** Settings as they were given; what is unset has its default. */
export interface SettingsValues {
  readonly requestLogLevel?: RequestLogLevel;
  /** Headers to mask beside the default ones, lower case, sorted. */
  readonly sensitiveHeaders?: readonly string[];
  /** Longest request body that is stored whole, bytes of its JSON, 0 to 16 MiB. */
  readonly maxRequestBodySize?: number;
  /** Longest response body that is stored whole, bytes of its JSON, 0 to 16 MiB. */
  readonly maxResponseBodySize?: number;
  readonly unpricedModelPolicy?: UnpricedModelPolicy;
  /** Days that bodies are kept, 0 to 36,500; 0: for ever. */
  readonly bodyRetentionDays?: number;
  /** Days that headers are kept, 0 to 36,500; 0: for ever. */
  readonly headerRetentionDays?: number;
  /** Days that finished records are kept, 0 to 36,500; 0: for ever. */
  readonly recordRetentionDays?: number;
  /** Days after the last report that the id of a purged record is known, 1 to 36,500. */
  readonly keyRetentionDays?: number;
  readonly autoProvision?: AutoProvision;
}

/** Settings of the whole installation as they apply. */
export interface Settings {
  readonly requestLogLevel: RequestLogLevel;
  /** Every header to mask, the default ones included, lower case. */
  readonly sensitiveHeaders: ReadonlySet<string>;
  /** Bytes. */
  readonly maxRequestBodySize: number;
  /** Bytes. */
  readonly maxResponseBodySize: number;
  readonly unpricedModelPolicy: UnpricedModelPolicy;
  /** 0: for ever. */
  readonly bodyRetentionDays: number;
  /** 0: for ever. */
  readonly headerRetentionDays: number;
  /** 0: for ever. */
  readonly recordRetentionDays: number;
  /** At least 1. */
  readonly keyRetentionDays: number;
  readonly autoProvision: AutoProvision;
  /** Secret that signs reservation ids; "" until the database was read. Never shown. */
  readonly reservationKey: string;
}

/** Headers that are masked whatever the settings say. */
export const DEFAULT_SENSITIVE_HEADERS: readonly string[] = [
  "authorization",
  "x-api-key",
  "api-key",
  "cookie",
  "set-cookie",
];

/** Longest body that is stored whole by default: 1 MiB. */
export const DEFAULT_MAX_BODY_SIZE = 1_048_576;

/** Days that things are kept by default. */
export const DEFAULT_RETENTION_DAYS = { bodies: 7, headers: 90, records: 365, keys: 35 } as const;

/** Fills in what is not given. */
export function resolveSettings(values: SettingsValues, reservationKey: string): Settings {
  return {
    requestLogLevel: values.requestLogLevel ?? "BASIC",
    sensitiveHeaders: new Set([...DEFAULT_SENSITIVE_HEADERS, ...(values.sensitiveHeaders ?? [])]),
    maxRequestBodySize: values.maxRequestBodySize ?? DEFAULT_MAX_BODY_SIZE,
    maxResponseBodySize: values.maxResponseBodySize ?? DEFAULT_MAX_BODY_SIZE,
    unpricedModelPolicy: values.unpricedModelPolicy ?? "DENY",
    bodyRetentionDays: values.bodyRetentionDays ?? DEFAULT_RETENTION_DAYS.bodies,
    headerRetentionDays: values.headerRetentionDays ?? DEFAULT_RETENTION_DAYS.headers,
    recordRetentionDays: values.recordRetentionDays ?? DEFAULT_RETENTION_DAYS.records,
    keyRetentionDays: values.keyRetentionDays ?? DEFAULT_RETENTION_DAYS.keys,
    autoProvision: values.autoProvision ?? NO_PROVISION,
    reservationKey,
  };
}

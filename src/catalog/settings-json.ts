import type { JsonObject, JsonValue } from "./entry-json.js";
import { fromAutoProvisionJson, toAutoProvisionJson } from "./provision-json.js";
import type { RequestLogLevel, SettingsValues, UnpricedModelPolicy } from "./settings.js";

/** The names that settings have in the contract and in the database. */
const NAMES = {
  requestLogLevel: "request_log_level",
  sensitiveHeaders: "sensitive_headers",
  maxRequestBodySize: "max_request_body_size",
  maxResponseBodySize: "max_response_body_size",
  unpricedModelPolicy: "unpriced_model_policy",
  bodyRetentionDays: "body_retention_days",
  headerRetentionDays: "header_retention_days",
  recordRetentionDays: "record_retention_days",
  keyRetentionDays: "key_retention_days",
  autoProvision: "auto_provision",
} as const satisfies Record<keyof SettingsValues, string>;

/** The settings that are given, by their names in the contract. */
export function toSettingsJson({ autoProvision, ...plain }: SettingsValues): JsonObject {
  const values: JsonObject = {
    ...plain,
    autoProvision: autoProvision && toAutoProvisionJson(autoProvision),
  };
  const json: Record<string, JsonValue> = {};
  for (const [field, name] of Object.entries(NAMES)) {
    const value = values[field];
    if (value !== undefined) json[name] = value;
  }
  return json;
}

/**
 * Reads one setting by its name in the contract; other names give nothing.
 *
 * @throws TypeError on a value that the setting cannot have
 */
export function fromSettingJson(name: string, value: unknown): SettingsValues {
  switch (name) {
    case NAMES.requestLogLevel:
      return { requestLogLevel: oneOf<RequestLogLevel>(value, ["BASIC", "HEADERS", "FULL"]) };
    case NAMES.sensitiveHeaders:
      return { sensitiveHeaders: texts(value) };
    case NAMES.maxRequestBodySize:
      return { maxRequestBodySize: size(value) };
    case NAMES.maxResponseBodySize:
      return { maxResponseBodySize: size(value) };
    case NAMES.unpricedModelPolicy:
      return { unpricedModelPolicy: oneOf<UnpricedModelPolicy>(value, ["DENY", "ALLOW"]) };
    case NAMES.bodyRetentionDays:
      return { bodyRetentionDays: size(value) };
    case NAMES.headerRetentionDays:
      return { headerRetentionDays: size(value) };
    case NAMES.recordRetentionDays:
      return { recordRetentionDays: size(value) };
    case NAMES.keyRetentionDays:
      return { keyRetentionDays: size(value, 1) };
    case NAMES.autoProvision:
      return { autoProvision: fromAutoProvisionJson(value) };
    default:
      return {};
  }
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new TypeError(`must be one of ${allowed.join(", ")}`);
  return found;
}

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) {
    throw new TypeError("must be a list of texts");
  }
  return value;
}

function size(value: unknown, min = 0): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min) {
    throw new TypeError(`must be a whole number, ${min} or more`);
  }
  return value;
}

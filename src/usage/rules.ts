import { toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { UsageInput } from "../../gen/tally/v1/usage_pb.js";
import { type FieldViolation, violation } from "../errors.js";
import { tokenViolations } from "../pricing/tokens.js";
import { reportedTokensOf } from "./from-proto.js";
import { hasUnstorableText } from "./storable-text.js";
import { microsecondsOf } from "./time.js";
import type { JsonObject } from "./usage-record.js";

/** How far ahead of the server's clock a request may have arrived: clocks differ. */
const MAX_AHEAD_US = 10 * 60 * 1_000_000;
const MAX_METADATA_BYTES = 65_536;

/**
 * The rules that the contract's own cannot express: sums of tokens, a moment against the clock,
 * what JSON and PostgreSQL cannot hold. Some fields may be named by the contract's rules too.
 *
 * @param path - where the input stands: "usage", "requests[3].usage"
 */
export function usageViolations(input: UsageInput, path: string, nowUs: number): FieldViolation[] {
  return [
    ...tokenViolations(reportedTokensOf(input)),
    ...createTimeViolations(input, nowUs),
    ...metadataViolations(input),
    ...bodyViolations("request_body", input.requestBody),
    ...bodyViolations("response_body", input.responseBody),
  ].map(({ field, description }) => ({ field: `${path}.${field}`, description }));
}

function createTimeViolations({ createTime }: UsageInput, nowUs: number): FieldViolation[] {
  if (!createTime) return [];
  const aheadUs = microsecondsOf(createTime.seconds, createTime.nanos) - nowUs;
  if (!(aheadUs > MAX_AHEAD_US)) return [];
  const seconds = `${createTime.seconds} s since 1970`;
  const rule = "must be at most 10 minutes ahead of the server's clock";
  return [violation("create_time", seconds, rule)];
}

function metadataViolations({ metadata }: UsageInput): FieldViolation[] {
  if (!metadata) return [];
  const text = stringify(metadata);
  if (text === undefined) return [violation("metadata", "NaN or Infinity", FINITE)];
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_METADATA_BYTES) {
    const rule = `must be at most ${MAX_METADATA_BYTES} bytes as JSON`;
    return [violation("metadata", `${bytes} bytes`, rule)];
  }
  if (hasUnstorableText(metadata as JsonObject)) {
    return [{ field: "metadata", description: "must not contain NUL or half of a surrogate pair" }];
  }
  return [];
}

function bodyViolations(field: string, body: Value | undefined): FieldViolation[] {
  if (!body) return [];
  try {
    toJson(ValueSchema, body);
    return [];
  } catch {
    return [violation(field, "NaN, Infinity or an empty value", FINITE)];
  }
}

const FINITE = "must be JSON, with finite numbers only";

/** JSON text, or undefined for what JSON cannot say. */
function stringify(value: unknown): string | undefined {
  let isExact = true;
  const text = JSON.stringify(value, (_key, item) => {
    if (typeof item === "number" && !Number.isFinite(item)) isExact = false;
    return item;
  });
  return isExact ? text : undefined;
}

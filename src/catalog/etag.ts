import { createHash } from "node:crypto";
import type { JsonValue } from "./entry-json.js";

/** 96 bits: no two states of one entry share them by chance. */
const LENGTH = 16;

/** Names a state of an entry: the same content at another time has another. */
export function etagOf(content: JsonValue, updateTimeUs: bigint): string {
  return digest([content, updateTimeUs.toString()]);
}

/** Names a value by its content, in 16 characters of base64url. */
export function digest(value: JsonValue): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, LENGTH);
}

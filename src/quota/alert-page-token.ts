import { createHash } from "node:crypto";
import { invalidField } from "../errors.js";
import type { AlertFilter } from "./alert.js";

/** Base64 characters of the filter's digest: enough to tell one filter from another. */
const DIGEST_LENGTH = 11;

/** The token of the page that begins below an alert. */
export function encodeAlertPageToken(filter: AlertFilter, beforeId: bigint): string {
  return Buffer.from(`${beforeId} ${digest(filter)}`).toString("base64url");
}

/**
 * Reads a token; "" gives undefined, the first page.
 *
 * @throws DomainError INVALID_FIELD for one that was not made for the same filter
 */
export function decodeAlertPageToken(filter: AlertFilter, token: string): bigint | undefined {
  if (token === "") return undefined;
  const [, id, given] = /^(\d{1,18}) (.+)$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (id !== undefined && given === digest(filter)) return BigInt(id);
  const rule = "must be the next_page_token of an answer to the same filter and times";
  throw invalidField("page_token", token, rule);
}

function digest({ budgetId, scope, subject, startMs, endMs }: AlertFilter): string {
  const text = JSON.stringify([budgetId, scope, subject, startMs, endMs]);
  return createHash("sha256").update(text).digest("base64url").slice(0, DIGEST_LENGTH);
}

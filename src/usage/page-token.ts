import { hash } from "node:crypto";

/** Where a page ended: the last record that was looked at, by what the order compares. */
export interface PageCursor {
  readonly createTimeUs: number;
  readonly requestId: string;
  /** List cost, nano-USD; heeded where the order compares it. */
  readonly costNanoUsd: bigint;
}

/**
 * A cursor as opaque text of A-Z, a-z, 0-9, - and _, which is only valid for the question that it
 * answers.
 *
 * @param question - the filters and the order; two are the same when their JSON is
 */
export function encodePageToken(cursor: PageCursor, question: unknown): string {
  const { createTimeUs, requestId, costNanoUsd } = cursor;
  const content = [digest(question), createTimeUs, requestId, costNanoUsd.toString()];
  return Buffer.from(JSON.stringify(content)).toString("base64url");
}

/** @returns undefined for a token that was not made here, or for another question */
export function decodePageToken(token: string, question: unknown): PageCursor | undefined {
  const content = parse(token);
  if (!Array.isArray(content) || content.length !== 4) return undefined;
  const [asked, createTimeUs, requestId, cost] = content as unknown[];
  if (asked !== digest(question) || typeof requestId !== "string") return undefined;
  if (!isTime(createTimeUs) || typeof cost !== "string" || !/^\d{1,19}$/.test(cost)) {
    return undefined;
  }
  return { createTimeUs, requestId, costNanoUsd: BigInt(cost) };
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

/** A moment between 1970 and 10000. */
function isTime(value: unknown): value is number {
  return (
    Number.isSafeInteger(value) &&
    (value as number) >= 0 &&
    (value as number) < 253_402_300_800_000_000
  );
}

/** 96 bits tell questions apart; nothing is protected by them. */
function digest(question: unknown): string {
  return hash("sha256", JSON.stringify(question), "base64url").slice(0, 16);
}

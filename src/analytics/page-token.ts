import { hash } from "node:crypto";
import { invalidField } from "../errors.js";
import type { TimeRange } from "./question.js";
import type { RankPosition } from "./usage-query.js";

const LATEST_US = Date.UTC(9999, 0, 1) * 1_000;

/** What the next page needs to know of the one before. */
export interface PagePosition {
  readonly range: TimeRange;
  readonly after: RankPosition;
}

/**
 * Writes a position as an opaque token.
 *
 * @param question - whatever the position holds for; see {@link readPageToken}
 */
export function writePageToken(question: unknown, { range, after }: PagePosition): string {
  const content = [
    digestOf(question),
    range.startUs,
    range.endUs,
    after.measure.toString(),
    after.value,
  ];
  return Buffer.from(JSON.stringify(content)).toString("base64url");
}

/**
 * Reads a token.
 *
 * @throws DomainError when it was not written for the same question
 */
export function readPageToken(question: unknown, token: string): PagePosition {
  const content = parse(token);
  if (!isContent(content) || content[0] !== digestOf(question)) {
    throw invalidField("page_token", token, "must be the next_page_token of the same question");
  }
  const [, startUs, endUs, measure, value] = content;
  return { range: { startUs, endUs }, after: { measure: BigInt(measure), value } };
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= LATEST_US;
}

function digestOf(question: unknown): string {
  return hash("sha256", JSON.stringify(question), "base64url").slice(0, 16);
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    return undefined;
  }
}

type Content = [digest: string, startUs: number, endUs: number, measure: string, value: string];

function isContent(content: unknown): content is Content {
  if (!Array.isArray(content) || content.length !== 5) return false;
  const [digest, startUs, endUs, measure, value] = content as unknown[];
  return (
    typeof digest === "string" &&
    isTime(startUs) &&
    isTime(endUs) &&
    startUs < endUs &&
    typeof measure === "string" &&
    /^\d{1,19}$/.test(measure) &&
    BigInt(measure) < 2n ** 63n &&
    typeof value === "string" &&
    !value.includes("\0")
  );
}

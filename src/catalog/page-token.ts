import { invalidField } from "../errors.js";
import type { JsonValue } from "./entry-json.js";
import { digest } from "./etag.js";

/** Most entries of a page where the request does not say. */
const DEFAULT_PAGE_SIZE = 100;

/** More is not an error, but not heeded. */
const MAX_PAGE_SIZE = 1_000;

/** A page of a list, as requests ask for it. */
export interface PageRequest {
  /** 0: the default. */
  readonly pageSize: number;
  /** "": the first page. */
  readonly pageToken: string;
}

/** A page and where the next one begins. */
export interface Page<T> {
  readonly items: readonly T[];
  /** "": there is none. */
  readonly nextPageToken: string;
}

/** How many entries a page holds at most. */
export function pageSizeOf({ pageSize }: PageRequest): number {
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/**
 * Where a page begins: after the entry with this key. Undefined: at the beginning.
 *
 * @param question - what is listed, and by which filters; a token answers no other question
 * @throws DomainError INVALID_FIELD for a token that was not given out for the question
 */
export function readPageToken(
  { pageToken }: PageRequest,
  question: JsonValue,
): readonly string[] | undefined {
  if (pageToken === "") return undefined;
  const [asked, ...key] = decode(pageToken) ?? [];
  if (asked === digest(question)) return key;
  const rule = "must be the next_page_token of an answer to the same question";
  throw invalidField("page_token", pageToken, rule);
}

/**
 * Makes a page of what was read.
 *
 * @param read - in order, one more than the page holds, if there is one
 */
export function toPage<T>(
  request: PageRequest,
  read: readonly T[],
  next: { readonly question: JsonValue; readonly keyOf: (item: T) => readonly string[] },
): Page<T> {
  const size = pageSizeOf(request);
  const items = read.slice(0, size);
  const last = items.at(-1);
  const isLast = read.length <= size || last === undefined;
  const nextPageToken = isLast ? "" : encode([digest(next.question), ...next.keyOf(last)]);
  return { items, nextPageToken };
}

function encode(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** Undefined for what is no token. */
function decode(token: string): readonly string[] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    const isToken = Array.isArray(parts) && parts.every((part) => typeof part === "string");
    return isToken ? parts : undefined;
  } catch {
    return undefined;
  }
}

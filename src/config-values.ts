import { parseRedisUrl, type RedisAddress } from "./cache/redis-address.js";
import { parseAddress } from "./server/address.js";

/** A kind of setting: which texts it allows and what they mean. Pure. */
export interface ValueKind<T> {
  /** Completes "must be ...", for people. */
  readonly allowed: string;
  /** Unit of the value, for the documentation; unset where the text has none or carries its own. */
  readonly unit?: string;
  /** What the text means, or undefined when it is not allowed. */
  parse(text: string): T | undefined;
  /** How an error repeats the text; unset: quoted as it is. For values that may hold a secret. */
  show?(text: string): string;
  /** A valid text as people may see it; unset: as it is. For values that hold a secret. */
  mask?(text: string): string;
}

/** A whole number in decimal digits, from `min` to `max`. */
export function wholeNumber(min: number, max: number, unit: string): ValueKind<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    unit,
    parse: (text) => (/^\d{1,15}$/.test(text) ? within(Number(text), min, max) : undefined),
  };
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A length of time with its unit, "500ms", "10s", "2m" or "1h"; means milliseconds. */
export function duration(minText: string, maxText: string): ValueKind<number> {
  const minMs = parseDurationMs(minText) ?? 0;
  const maxMs = parseDurationMs(maxText) ?? Number.MAX_SAFE_INTEGER;
  return {
    allowed: `a duration with its unit (ms, s, m or h) from ${minText} to ${maxText}, such as 10s`,
    parse: (text) => within(parseDurationMs(text), minMs, maxMs),
  };
}

/** Milliseconds of a text such as "1.5s"; undefined for a text without unit or of another form. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]);
}

const UNIT_BYTES = { "": 1, B: 1, KiB: 1024, MiB: 1024 * 1024 };

/** A size, "4MiB", "64KiB" or plain bytes; means bytes. */
export function byteSize(minText: string, maxText: string): ValueKind<number> {
  const min = parseBytes(minText) ?? 0;
  const max = parseBytes(maxText) ?? Number.MAX_SAFE_INTEGER;
  return {
    allowed: `bytes, or a size with its unit (KiB or MiB), from ${minText} to ${maxText}`,
    parse: (text) => within(parseBytes(text), min, max),
  };
}

function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,12})(B|KiB|MiB)?$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * UNIT_BYTES[(match[2] ?? "") as keyof typeof UNIT_BYTES];
}

/** An address to listen on; port 0 takes any free one. Means its text, see `parseAddress`. */
export function listenAddress(): ValueKind<string> {
  return {
    allowed:
      "HOST:PORT with a port from 0 (any free one) to 65535, such as 127.0.0.1:50051 or " +
      "[::1]:50051, or unix:/PATH",
    parse(text) {
      try {
        parseAddress(text);
        return text;
      } catch {
        return undefined;
      }
    },
  };
}

/** As {@link listenAddress}, or "off": nothing listens there. */
export function listenAddressOrOff(): ValueKind<string> {
  const { allowed, parse } = listenAddress();
  return {
    allowed: `off, or ${allowed}`,
    parse: (text) => (text === "off" ? text : parse(text)),
  };
}

/** Origins of web pages, split by commas, or "*". */
export function originList(): ValueKind<readonly string[]> {
  return {
    allowed: '"*", or origins split by commas, such as https://dash.example.com',
    parse(text) {
      const origins = text.split(",").map((origin) => origin.trim());
      return origins.every((origin) => origin === "*" || isOrigin(origin)) ? origins : undefined;
    },
  };
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** One of a few words, in lower case. */
export function oneOf<const T extends string>(...words: readonly T[]): ValueKind<T> {
  return {
    allowed: `one of ${words.join(", ")}`,
    parse: (text) => words.find((word) => word === text),
  };
}

/** The path of a directory. */
export function directory(): ValueKind<string> {
  return {
    allowed: "the path of a directory",
    parse: (text) => (text.includes("\0") ? undefined : text),
  };
}

/** The path of a file. */
export function file(): ValueKind<string> {
  return { ...directory(), allowed: "the path of a file" };
}

/** A PostgreSQL connection URL. Its password is never shown. */
export function postgresUrl(): ValueKind<string> {
  return {
    allowed: "a URL such as postgres://user:password@host:5432/database",
    parse(text) {
      const isPostgres = /^postgres(ql)?:\/\//.test(text);
      return isPostgres && URL.canParse(text) ? text : undefined;
    },
    show: hiddenText,
    mask: maskUrl,
  };
}

/** Where Redis is. Its password is never shown. */
export function redisUrl(): ValueKind<RedisAddress> {
  return {
    allowed:
      "a URL such as redis://user:password@host:6379/0, redis+sentinel://host:26379,host/master/0 " +
      "or redis+cluster://host:6379,host, with rediss for TLS",
    parse: parseRedisUrl,
    show: hiddenText,
    mask: (text) =>
      text
        .replace(/(:\/\/[^:@/?#]*:)[^@/?#]*@/, "$1****@")
        .replace(/([?&]sentinel_password=)[^&]*/g, "$1****"),
  };
}

/** What does not parse may hold a password anywhere. */
function hiddenText(text: string): string {
  return `a text of ${text.length} characters, not shown`;
}

/** An address of HTTP or HTTPS. A password in it is never shown. */
export function httpUrl(): ValueKind<string> {
  return {
    allowed: "a URL such as http://collector:4318",
    parse: (text) => (/^https?:\/\//.test(text) && URL.canParse(text) ? text : undefined),
    show: notShown,
    mask: maskUrl,
  };
}

/** A share of the whole. */
export function ratio(): ValueKind<number> {
  return {
    allowed: "a number from 0 to 1",
    parse: (text) => (/^\d(\.\d{1,9})?$/.test(text) ? within(Number(text), 0, 1) : undefined),
  };
}

/** Any text. */
export function anyText(): ValueKind<string> {
  return { allowed: "a text", parse: (text) => text };
}

/** "key=value,other=value", percent-encoded as in W3C Baggage. Values may be secrets. */
export function keyValues(): ValueKind<Readonly<Record<string, string>>> {
  return {
    allowed: "KEY=VALUE, or several with commas between them",
    parse: parseKeyValues,
    show: notShown,
    mask: (text) => text.replace(/=[^,]*/g, "=****"),
  };
}

function parseKeyValues(text: string): Readonly<Record<string, string>> | undefined {
  const entries: [string, string][] = [];
  for (const pair of text.split(",")) {
    const match = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair);
    if (match === null) return undefined;
    try {
      entries.push([decodeURIComponent(match[1]!), decodeURIComponent(match[2]!)]);
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(entries);
}

function notShown(text: string): string {
  return `a text of ${text.length} characters, not shown`;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/** Query parameters of a connection URL that say who connects, or by which secret. */
const SECRET_PARAMETERS = /^(password|passwd|pwd|token|secret|sslpassword)$/i;

/** The URL without the passwords that it holds. */
export function maskUrl(text: string): string {
  const url = new URL(text);
  if (url.password !== "") url.password = "****";
  for (const name of [...url.searchParams.keys()]) {
    if (SECRET_PARAMETERS.test(name)) url.searchParams.set(name, "****");
  }
  return url.toString();
}

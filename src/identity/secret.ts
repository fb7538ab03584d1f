import { createHash } from "node:crypto";

/** Bytes of chance in a secret: nobody finds one by trying, so a plain hash of it is enough. */
export const SECRET_BYTES = 32;

/** Lets people, and programs that look for leaked secrets, see what they have before them. */
const PREFIX = "tally_";

const SECRET = /^tally_[A-Za-z0-9_-]{43}$/;
const BEARER = /^bearer +(\S+) *$/i;

/** The text of a secret: "tally_" and 43 characters. @param random - {@link SECRET_BYTES} of it */
export function formatSecret(random: Buffer): string {
  return PREFIX + random.toString("base64url");
}

/** SHA-256 of a secret, in hexadecimal: all that is stored of it. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** The secret of an `authorization` header; undefined when the header holds none of ours. */
export function parseBearer(header: string): string | undefined {
  const secret = BEARER.exec(header)?.[1];
  return secret !== undefined && SECRET.test(secret) ? secret : undefined;
}

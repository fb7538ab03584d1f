import type { Role } from "../caller.js";

/** A bearer token as it is stored; times in milliseconds since 1970. */
export interface Token {
  readonly tokenId: string;
  readonly name: string;
  readonly role: Role;
  /** Undefined: its bearer sees all users. */
  readonly boundUserId: string | undefined;
  readonly createTimeMs: number;
  readonly createdBy: string;
  /** Undefined: never. */
  readonly expireTimeMs: number | undefined;
  /** To about a minute. Undefined: never used. */
  readonly lastUsedTimeMs: number | undefined;
  /** Until when the secret before the present one is valid. Undefined: there is none. */
  readonly previousExpireTimeMs: number | undefined;
  /** Undefined: it is not revoked. */
  readonly revokeTimeMs: number | undefined;
}

/** One secret that lets somebody in, by its hash. */
export interface SecretEntry {
  /** See `hashSecret`. */
  readonly hash: string;
  readonly tokenId: string;
  readonly name: string;
  readonly role: Role;
  readonly boundUserId: string | undefined;
  /** Infinity: never. */
  readonly expireTimeMs: number;
}

/** What a name in client certificates means. */
export interface CertificateMapping {
  /** With its kind: "DNS:gw.corp". */
  readonly subjectAlternativeName: string;
  readonly name: string;
  readonly role: Role;
  readonly boundUserId: string | undefined;
  readonly updateTimeMs: number;
  readonly updatedBy: string;
}

/** Everything by which callers are known. */
export interface Credentials {
  readonly secrets: readonly SecretEntry[];
  readonly mappings: readonly CertificateMapping[];
}

import type { Identity } from "../caller.js";
import type { Credentials } from "./credential.js";
import { hashSecret, parseBearer } from "./secret.js";

/** Somebody who may call, and until when. */
export interface KnownCaller {
  readonly identity: Identity;
  /** Whose use is noted; undefined for a certificate. */
  readonly tokenId: string | undefined;
  /** Infinity: never. */
  readonly expireTimeMs: number;
}

/** Who may call, in memory. */
export interface CredentialBook {
  /** Replaces all that is known. */
  publish(credentials: Credentials): void;
  /** By the `authorization` header as it came. Undefined: nobody. */
  findByHeader(header: string): KnownCaller | undefined;
  /** By a name in a client certificate, with its kind. Undefined: nobody. */
  findByName(subjectAlternativeName: string): KnownCaller | undefined;
  /** Whether anybody is an admin. */
  hasAdmin(): boolean;
}

/** Headers that are remembered; a bearer could vary its own by letter case and spaces. */
const MAX_HEADERS = 10_000;

/** What was published last, with the headers that were understood since. */
interface Edition {
  readonly byHash: ReadonlyMap<string, KnownCaller>;
  readonly byName: ReadonlyMap<string, KnownCaller>;
  /** Hashing a secret takes longer than all the rest of a check. Unknown ones are not kept. */
  readonly byHeader: Map<string, KnownCaller>;
}

/** Makes a book that knows nobody. */
export function createCredentialBook(): CredentialBook {
  let edition = toEdition({ secrets: [], mappings: [] });
  return {
    publish(credentials) {
      edition = toEdition(credentials);
    },
    findByHeader(header) {
      return edition.byHeader.get(header) ?? learnHeader(edition, header);
    },
    findByName: (name) => edition.byName.get(name),
    hasAdmin() {
      const callers = [...edition.byHash.values(), ...edition.byName.values()];
      return callers.some(({ identity }) => identity.role === "admin");
    },
  };
}

function learnHeader({ byHash, byHeader }: Edition, header: string): KnownCaller | undefined {
  const secret = parseBearer(header);
  const caller = secret === undefined ? undefined : byHash.get(hashSecret(secret));
  if (caller === undefined) return undefined;
  if (byHeader.size >= MAX_HEADERS) byHeader.clear();
  byHeader.set(header, caller);
  return caller;
}

function toEdition({ secrets, mappings }: Credentials): Edition {
  const byHash = secrets.map(({ hash, tokenId, name, role, boundUserId, expireTimeMs }) => {
    const identity = { id: `token:${tokenId}`, name, role, boundUserId };
    return [hash, { identity: Object.freeze(identity), tokenId, expireTimeMs }] as const;
  });
  const byName = mappings.map(({ subjectAlternativeName: san, name, role, boundUserId }) => {
    const identity = Object.freeze({ id: `certificate:${san}`, name, role, boundUserId });
    const caller = { identity, tokenId: undefined, expireTimeMs: Number.POSITIVE_INFINITY };
    return [san, caller] as const;
  });
  return { byHash: new Map(byHash), byName: new Map(byName), byHeader: new Map() };
}

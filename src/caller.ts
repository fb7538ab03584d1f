/** What a caller may do; see `tally.v1.Role`. */
export type Role = "gateway" | "analyst" | "operator" | "admin";

/** Every role, from the least trusted to the most. */
export const ROLES: readonly Role[] = ["gateway", "analyst", "operator", "admin"];

/** Who calls. */
export interface Identity {
  /** Its own, and never another's: "token:0199a1c2-...", "certificate:DNS:gw.corp", "local". */
  readonly id: string;
  /** For people and logs: the name of the token, or of the certificate's mapping. */
  readonly name: string;
  readonly role: Role;
  /** The one user that the caller may see. Undefined: all of them. */
  readonly boundUserId: string | undefined;
}

/** Whoever calls a server that asks nobody who they are: it listens on loopback only. */
export const LOCAL_CALLER: Identity = Object.freeze({
  id: "local",
  name: "local",
  role: "admin",
  boundUserId: undefined,
});

/** What a transport knows of a caller's certificate, after it was verified against the CA. */
export interface CallerCertificate {
  /** Subject alternative names with their kind: "URI:spiffe://corp/gateway", "DNS:gw.corp". */
  readonly names: readonly string[];
  /** When it ceases to be valid, milliseconds since 1970. */
  readonly expireTimeMs: number;
}

/** What a caller shows of itself. */
export interface Credentials {
  /** A header of the request by its lower-case name. */
  header(name: string): string | undefined;
  /** The verified certificate of the connection. Undefined: none, or one that nobody vouches for. */
  certificate(): CallerCertificate | undefined;
}

/** Says who calls. Must answer from memory: every call waits for it. */
export interface Authenticator {
  /** @throws DomainError CREDENTIALS_MISSING, CREDENTIALS_INVALID or CREDENTIALS_EXPIRED */
  authenticate(credentials: Credentials): Identity;
}

/** Asks nobody and trusts everybody. */
export const trustEveryCaller: Authenticator = { authenticate: () => LOCAL_CALLER };

import type { Authenticator, CallerCertificate, Identity } from "../caller.js";
import { DomainError } from "../errors.js";
import type { CredentialBook, KnownCaller } from "./credential-book.js";

/** Options of {@link createAuthenticator}. */
export interface AuthenticatorOptions {
  readonly book: Pick<CredentialBook, "findByHeader" | "findByName">;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Told of the token by which a call was let in; on every call, so it must be quick. */
  readonly onUse: (tokenId: string) => void;
}

/**
 * Knows callers by their bearer token, or else by their certificate. A token that is wrong is
 * refused even if the certificate would do: whoever sends one means to be known by it.
 */
export function createAuthenticator({ book, nowMs, onUse }: AuthenticatorOptions): Authenticator {
  function byToken(header: string): Identity {
    const caller = book.findByHeader(header);
    if (caller === undefined) {
      throw new DomainError("CREDENTIALS_INVALID", "authorization: no such token is valid here");
    }
    if (caller.expireTimeMs <= nowMs()) throw expired("authorization: the token has expired");
    if (caller.tokenId !== undefined) onUse(caller.tokenId);
    return caller.identity;
  }

  function byCertificate({ names, expireTimeMs }: CallerCertificate): Identity {
    if (expireTimeMs <= nowMs()) throw expired("the client certificate has expired");
    // The first that means something: the order is the certificate's own.
    let caller: KnownCaller | undefined;
    for (const name of names) caller ??= book.findByName(name);
    if (caller !== undefined) return caller.identity;
    const message = "no name in the client certificate is mapped to a caller here";
    throw new DomainError("CREDENTIALS_INVALID", message);
  }

  return {
    authenticate(credentials) {
      const header = credentials.header("authorization");
      if (header !== undefined) return byToken(header);
      const certificate = credentials.certificate();
      if (certificate !== undefined) return byCertificate(certificate);
      throw new DomainError(
        "CREDENTIALS_MISSING",
        "send a token as `authorization: Bearer ...`, or a client certificate that is trusted here",
      );
    },
  };
}

function expired(message: string): DomainError {
  return new DomainError("CREDENTIALS_EXPIRED", message);
}

import type { Token } from "./credential.js";
import { formatSecret, hashSecret, SECRET_BYTES } from "./secret.js";
import type { NewToken, TokenRotation, TokenStore } from "./token-store.js";

/** Options of {@link createTokenMaker}. */
export interface TokenMakerOptions {
  readonly store: Pick<TokenStore, "insert" | "rotate">;
  readonly makeTokenId: () => string;
  /** So many bytes that nobody can guess. */
  readonly randomBytes: (size: number) => Buffer;
}

/** A token with the secret that nobody can be told a second time. */
export interface IssuedToken {
  readonly token: Token;
  readonly secret: string;
}

/** Gives tokens their secrets. */
export interface TokenMaker {
  create(token: Omit<NewToken, "tokenId" | "hash">): Promise<IssuedToken>;
  /** @returns undefined when the token is not there, or is revoked */
  rotate(rotation: Omit<TokenRotation, "hash">): Promise<IssuedToken | undefined>;
}

/** Makes the maker. */
export function createTokenMaker(options: TokenMakerOptions): TokenMaker {
  const { store, makeTokenId, randomBytes } = options;
  return {
    async create(fields) {
      const secret = formatSecret(randomBytes(SECRET_BYTES));
      const token = { ...fields, tokenId: makeTokenId(), hash: hashSecret(secret) };
      return { token: await store.insert(token), secret };
    },
    async rotate(fields) {
      const secret = formatSecret(randomBytes(SECRET_BYTES));
      const token = await store.rotate({ ...fields, hash: hashSecret(secret) });
      return token === undefined ? undefined : { token, secret };
    },
  };
}

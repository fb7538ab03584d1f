import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import { v7 as uuidV7 } from "uuid";
import { type Authenticator, type Role, trustEveryCaller } from "./caller.js";
import type { Config } from "./config.js";
import { createAuthenticator } from "./identity/authenticator.js";
import { createCredentialBook } from "./identity/credential-book.js";
import { createIdentityFollower } from "./identity/follower.js";
import { createMappingStore } from "./identity/mapping-store.js";
import { createIdentityService } from "./identity/service.js";
import { createTokenMaker } from "./identity/token-maker.js";
import { createTokenStore, type TokenStore } from "./identity/token-store.js";
import { createTokenUse } from "./identity/token-use.js";
import type { ServiceImplementation } from "./server/handler.js";
import { openStorage, type Storage } from "./storage.js";

/** What the room of identity is wired from. */
export interface IdentityContext {
  readonly config: Pick<Config, "auth">;
  readonly logger: Logger;
  readonly storage: Pick<Storage, "database" | "connection">;
}

/** The room of identity, started. */
export interface StartedIdentity {
  readonly service: ServiceImplementation;
  readonly authenticator: Authenticator;
  stop(): Promise<void>;
}

/**
 * Starts to follow who may call. Tokens can be made whether or not callers must have one, so that
 * the first ones can be made before they must.
 */
export async function startIdentity(context: IdentityContext): Promise<StartedIdentity> {
  const { config, logger, storage } = context;
  const { database, connection } = storage;
  const tokens = createTokenStore(database);
  const book = createCredentialBook();
  const follower = createIdentityFollower({ database, connection, book, logger });
  const use = createTokenUse({ store: tokens, logger });
  try {
    await follower.start();
  } catch (error) {
    await follower.stop();
    throw error;
  }
  use.start();
  if (!config.auth.isRequired) {
    logger.warn("callers need not say who they are, so only this machine can reach the server");
  } else if (!book.hasAdmin()) {
    logger.warn("nobody is an admin yet: `tally token create --bootstrap` makes the first token");
  }
  return {
    service: createIdentityService({
      maker: makerFor(tokens),
      tokens,
      mappings: createMappingStore(database),
      refresh: follower.refresh,
    }),
    authenticator: config.auth.isRequired
      ? createAuthenticator({ book, nowMs: Date.now, onUse: use.note })
      : trustEveryCaller,
    async stop() {
      await use.stop();
      await follower.stop();
    },
  };
}

/** A token that is made in the database itself, by one who may do so without any token. */
export interface BootstrapToken {
  readonly name: string;
  readonly role: Role;
  readonly boundUserId: string | undefined;
  /** Undefined: never. */
  readonly expireTimeMs: number | undefined;
}

/**
 * Makes a token without a server; servers that run on the same database know it within a second.
 *
 * @returns its id and its secret
 * @throws as `openStorage`; on an embedded database that a running server has open, too
 */
export async function makeBootstrapToken(
  config: Config,
  logger: Logger,
  token: BootstrapToken,
): Promise<{ tokenId: string; secret: string }> {
  const storage = await openStorage(config, logger);
  try {
    const maker = makerFor(createTokenStore(storage.database));
    const issued = await maker.create({ ...token, createdBy: "bootstrap" });
    return { tokenId: issued.token.tokenId, secret: issued.secret };
  } finally {
    await storage.stop();
  }
}

function makerFor(store: TokenStore) {
  return createTokenMaker({ store, makeTokenId: () => uuidV7(), randomBytes });
}

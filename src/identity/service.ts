import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { Identity } from "../../gen/tally/v1/identity_pb.js";
import { DomainError } from "../errors.js";
import type { CallContext } from "../server/context.js";
import { implement, type ServiceHandlers, type ServiceImplementation } from "../server/handler.js";
import type { IdentityFollower } from "./follower.js";
import type { MappingStore } from "./mapping-store.js";
import { fromProtoRole, toProtoMapping, toProtoToken } from "./to-proto.js";
import type { TokenMaker } from "./token-maker.js";
import type { TokenStore } from "./token-store.js";

/** What the service is made of. */
export interface IdentityServiceParts {
  readonly maker: TokenMaker;
  readonly tokens: Pick<TokenStore, "list" | "revoke">;
  readonly mappings: MappingStore;
  /** Makes this process see what was changed before its caller hears of it. */
  readonly refresh: IdentityFollower["refresh"];
}

const DEFAULT_PAGE_SIZE = 100;
const DEFAULT_GRACE_MS = 3_600_000;

type Handlers = ServiceHandlers<typeof Identity>;

/** Makes the Identity service. Every change is logged with the name of the caller who made it. */
export function createIdentityService(
  parts: IdentityServiceParts,
): ServiceImplementation<typeof Identity> {
  return implement(Identity, { ...tokenHandlers(parts), ...certificateHandlers(parts) });
}

function tokenHandlers({ maker, tokens, refresh }: IdentityServiceParts): Handlers {
  return {
    async createToken({ name, role, boundUserId, expireTime }, context) {
      const { token, secret } = await maker.create({
        name,
        role: fromProtoRole(role),
        boundUserId: boundUserId || undefined,
        createdBy: context.identity.name,
        expireTimeMs: toMs(expireTime),
      });
      await refresh();
      log(context, "token created", { tokenId: token.tokenId, name, role: token.role });
      return { token: toProtoToken(token), secret };
    },
    async listTokens({ includeRevoked, pageSize, pageToken }) {
      const limit = pageSize || DEFAULT_PAGE_SIZE;
      const afterTokenId = pageToken;
      const found = await tokens.list({ includeRevoked, afterTokenId, limit: limit + 1 });
      const page = found.slice(0, limit);
      const nextPageToken = found.length > limit ? (page.at(-1)?.tokenId ?? "") : "";
      return { tokens: page.map(toProtoToken), nextPageToken };
    },
    async rotateToken({ tokenId, gracePeriod, expireTime }, context) {
      const rotated = await maker.rotate({
        tokenId,
        graceMs: gracePeriod
          ? Number(gracePeriod.seconds) * 1_000 + Math.floor(gracePeriod.nanos / 1_000_000)
          : DEFAULT_GRACE_MS,
        expireTimeMs: toMs(expireTime),
      });
      if (rotated === undefined) throw tokenNotFound(tokenId);
      await refresh();
      log(context, "token rotated", { tokenId, name: rotated.token.name });
      return { token: toProtoToken(rotated.token), secret: rotated.secret };
    },
    async revokeToken({ tokenId }, context) {
      const token = await tokens.revoke(tokenId);
      if (token === undefined) throw tokenNotFound(tokenId);
      await refresh();
      log(context, "token revoked", { tokenId, name: token.name });
      return { token: toProtoToken(token) };
    },
  };
}

function certificateHandlers({ mappings, refresh }: IdentityServiceParts): Handlers {
  return {
    async mapCertificate({ subjectAlternativeName, name, role, boundUserId }, context) {
      const mapping = await mappings.put({
        subjectAlternativeName,
        name,
        role: fromProtoRole(role),
        boundUserId: boundUserId || undefined,
        updatedBy: context.identity.name,
      });
      await refresh();
      log(context, "certificate mapped", { subjectAlternativeName, name, role: mapping.role });
      return { mapping: toProtoMapping(mapping) };
    },
    async listCertificateMappings({ pageSize, pageToken }) {
      const limit = pageSize || DEFAULT_PAGE_SIZE;
      const found = await mappings.list({ afterName: pageToken, limit: limit + 1 });
      const page = found.slice(0, limit);
      const nextPageToken = found.length > limit ? (page.at(-1)?.subjectAlternativeName ?? "") : "";
      return { mappings: page.map(toProtoMapping), nextPageToken };
    },
    async unmapCertificate({ subjectAlternativeName }, context) {
      const removed = await mappings.remove(subjectAlternativeName);
      await refresh();
      if (removed) log(context, "certificate unmapped", { subjectAlternativeName });
      return { removed };
    },
  };
}

function log({ logger, identity }: CallContext, message: string, subject: object): void {
  logger.info({ by: identity.name, byId: identity.id, ...subject }, message);
}

function toMs(time: Timestamp | undefined): number | undefined {
  return time === undefined ? undefined : timestampMs(time);
}

function tokenNotFound(tokenId: string): DomainError {
  const message = `token_id: no token that is not revoked has this id (was "${tokenId}")`;
  return new DomainError("TOKEN_NOT_FOUND", message, {
    resource: { type: "token", name: tokenId },
  });
}

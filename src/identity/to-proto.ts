import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Role as ProtoRole } from "../../gen/tally/v1/access_pb.js";
import type { CertificateMappingSchema, TokenSchema } from "../../gen/tally/v1/identity_pb.js";
import type { Role } from "../caller.js";
import type { CertificateMapping, Token } from "./credential.js";

const ROLE_NUMBERS: Readonly<Record<Role, ProtoRole>> = {
  gateway: ProtoRole.GATEWAY,
  analyst: ProtoRole.ANALYST,
  operator: ProtoRole.OPERATOR,
  admin: ProtoRole.ADMIN,
};

/** A role of the contract; the contract's rules let nothing else through. */
export function fromProtoRole(number: ProtoRole): Role {
  const roles = Object.keys(ROLE_NUMBERS) as Role[];
  const role = roles.find((name) => ROLE_NUMBERS[name] === number);
  if (role === undefined) throw new Error(`${number} is no role`);
  return role;
}

/** A token as the contract has it, without any secret. */
export function toProtoToken(token: Token): MessageInitShape<typeof TokenSchema> {
  return {
    tokenId: token.tokenId,
    name: token.name,
    role: ROLE_NUMBERS[token.role],
    boundUserId: token.boundUserId ?? "",
    createTime: timestampFromMs(token.createTimeMs),
    createdBy: token.createdBy,
    ...timeField("expireTime", token.expireTimeMs),
    ...timeField("lastUsedTime", token.lastUsedTimeMs),
    ...timeField("previousExpireTime", token.previousExpireTimeMs),
    ...timeField("revokeTime", token.revokeTimeMs),
  };
}

/** A mapping as the contract has it. */
export function toProtoMapping(
  mapping: CertificateMapping,
): MessageInitShape<typeof CertificateMappingSchema> {
  return {
    subjectAlternativeName: mapping.subjectAlternativeName,
    name: mapping.name,
    role: ROLE_NUMBERS[mapping.role],
    boundUserId: mapping.boundUserId ?? "",
    updateTime: timestampFromMs(mapping.updateTimeMs),
    updatedBy: mapping.updatedBy,
  };
}

function timeField<Name extends string>(name: Name, timeMs: number | undefined) {
  return timeMs === undefined ? {} : { [name]: timestampFromMs(timeMs) };
}

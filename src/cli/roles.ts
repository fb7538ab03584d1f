import { Option } from "commander";
import { Role as ProtoRole } from "../../gen/tally/v1/access_pb.js";
import { ROLES, type Role } from "../caller.js";

const NUMBERS = {
  gateway: ProtoRole.GATEWAY,
  analyst: ProtoRole.ANALYST,
  operator: ProtoRole.OPERATOR,
  admin: ProtoRole.ADMIN,
} as const satisfies Record<Role, ProtoRole>;

/** `--role`: what a caller may do. */
export function roleOption(): Option {
  return new Option("--role <role>", "what the caller may do").choices(ROLES).makeOptionMandatory();
}

/** As the contract has it. */
export function toProtoRole(role: Role): ProtoRole {
  return NUMBERS[role];
}

/** As the command line has it. */
export function roleName(number: ProtoRole): string {
  return ROLES.find((role) => NUMBERS[role] === number) ?? "";
}

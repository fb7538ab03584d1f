import {
  type DescField,
  type DescMethod,
  getOption,
  hasOption,
  type Message,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import {
  access,
  field_roles,
  type MethodAccess,
  Role as ProtoRole,
  value_roles,
} from "../../gen/tally/v1/access_pb.js";
import { type Identity, ROLES, type Role } from "../caller.js";
import { DomainError } from "../errors.js";

/** Who may call a method, read once from its options. */
export interface AccessRule {
  /** Whether callers that do not say who they are may call it. */
  readonly isPublic: boolean;
  /**
   * May this caller call the method at all? Asked before anything of the request is decoded.
   * @throws DomainError PERMISSION_DENIED
   */
  assertMayCall(identity: Identity): void;
  /**
   * May it ask this? A bound caller's request is narrowed to its user.
   * @throws DomainError PERMISSION_DENIED
   */
  restrict(request: Message, identity: Identity): void;
}

/** Health is what probes ask, which have no credentials; the contract is no secret among callers. */
const FOREIGN_SERVICES: ReadonlyMap<string, "everybody" | "every role"> = new Map([
  [Health.typeName, "everybody"],
  [ServerReflection.typeName, "every role"],
  [ServerReflectionV1Alpha.typeName, "every role"],
]);

/** The rule of a method. One that declares nothing lets nobody in. */
export function accessRuleOf(method: DescMethod): AccessRule {
  const foreign = FOREIGN_SERVICES.get(method.parent.typeName);
  if (foreign === "everybody") return PUBLIC;
  const allowed = foreign === undefined ? declaredRoles(method) : new Set(ROLES);
  const declared = hasOption(method, access) ? getOption(method, access) : undefined;
  // Nothing of a foreign service is about any user.
  const keepToUser = foreign === undefined ? boundUserRule(method, declared) : undefined;
  const limits = valueLimits(method);
  return {
    isPublic: false,
    assertMayCall({ role, boundUserId }) {
      if (!allowed.has(role)) throw denied(`the role ${role} may not call ${method.name}`);
      if (boundUserId !== undefined && keepToUser === "refused") throw boundToUser(method);
    },
    restrict(request, identity) {
      if (identity.role !== "admin") for (const limit of limits) limit(request, identity.role);
      if (identity.boundUserId === undefined || typeof keepToUser !== "object") return;
      narrow(method, keepToUser.field, request, identity.boundUserId);
    },
  };
}

const PUBLIC: AccessRule = { isPublic: true, assertMayCall() {}, restrict() {} };

/** @returns no role at all for a method without the option */
function declaredRoles(method: DescMethod): ReadonlySet<Role> {
  if (!hasOption(method, access)) return new Set();
  return withAdmin(getOption(method, access).roles);
}

function withAdmin(roles: readonly ProtoRole[]): ReadonlySet<Role> {
  return new Set<Role>([...roles.map(fromProtoRole), "admin"]);
}

function fromProtoRole(role: ProtoRole): Role {
  const found = ROLES.find((candidate) => ProtoRole[role] === candidate.toUpperCase());
  if (found === undefined) throw new Error(`${role} is no role`);
  return found;
}

type BoundUserRule = "refused" | { readonly field: DescField } | undefined;

/** How a bound caller is kept to its user; undefined: the handler sees to it. */
function boundUserRule(method: DescMethod, declared: MethodAccess | undefined): BoundUserRule {
  switch (declared?.boundUser.case) {
    case "checkedByHandler":
      return declared.boundUser.value ? undefined : "refused";
    case "userField": {
      const name = declared.boundUser.value;
      const field = method.input.fields.find((candidate) => candidate.name === name);
      if (field === undefined) throw new Error(`${method.name}: no field ${name} in its request`);
      return { field };
    }
    default:
      return "refused";
  }
}

/** Fills the field that names the user, or refuses another user than the caller's own. */
function narrow(method: DescMethod, field: DescField, request: Message, userId: string): void {
  const message = reflect(method.input, request);
  // One subject of several: another kind of subject names nobody, or somebody else.
  const chosen = field.oneof === undefined ? field : message.oneofCase(field.oneof);
  if (chosen !== undefined && chosen !== field) throw boundToUser(method);
  const asked = message.isSet(field) ? message.get(field) : "";
  if (asked !== "" && asked !== userId) throw boundToUser(method);
  message.set(field, userId);
}

type ValueLimit = (request: Message, role: Role) => void;

/** Fields and values of the request that only some roles may use. */
function valueLimits({ input }: DescMethod): ValueLimit[] {
  return input.fields.flatMap((field) => [...fieldLimit(field), ...enumLimit(field)]);
}

function fieldLimit(field: DescField): ValueLimit[] {
  const roles = getOption(field, field_roles);
  if (roles.length === 0) return [];
  const allowed = withAdmin(roles);
  return [
    (request, role) => {
      if (allowed.has(role) || !reflect(field.parent, request).isSet(field)) return;
      throw denied(`${field.name}: the role ${role} may not set it`);
    },
  ];
}

function enumLimit(field: DescField): ValueLimit[] {
  if (field.fieldKind !== "enum") return [];
  const limited = new Map(
    field.enum.values
      .map((value) => [value, getOption(value, value_roles)] as const)
      .filter(([, roles]) => roles.length > 0)
      .map(([value, roles]) => [value.number, { name: value.name, allowed: withAdmin(roles) }]),
  );
  if (limited.size === 0) return [];
  return [
    (request, role) => {
      const limit = limited.get(Number(reflect(field.parent, request).get(field)));
      if (limit === undefined || limit.allowed.has(role)) return;
      throw denied(`${field.name}: the role ${role} may not ask for ${limit.name}`);
    },
  ];
}

function denied(message: string): DomainError {
  return new DomainError("PERMISSION_DENIED", message);
}

/** The same text whether the other user exists or not. */
function boundToUser(method: DescMethod): DomainError {
  return denied(`${method.name}: this caller may see one user only, and asked for more than that`);
}

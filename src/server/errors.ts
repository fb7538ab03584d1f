import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { toAscii } from "../ascii.js";
import { DomainError, type ErrorKind, type FieldViolation } from "../errors.js";

/** Domain of every `google.rpc.ErrorInfo` that Tally sends. */
export const ERROR_DOMAIN = "tally";

/** When to try again, where the error does not say. */
const DEFAULT_RETRY_AFTER_MS = 1_000;

const MAX_MESSAGE_LENGTH = 1_000;
const MAX_FIELD_LENGTH = 300;
const MAX_DESCRIPTION_LENGTH = 300;

/**
 * Violations in one answer, in bytes of text. Clients limit the headers that they take,
 * grpc-java and C-core to 8 KiB in all, and details travel there in base64.
 */
const MAX_VIOLATION_BYTES = 4_000;

/** Turns errors that are not our own into ours; undefined for a defect. */
export type ErrorClassifier = (error: unknown) => DomainError | undefined;

/**
 * The error as the domain knows it. Whatever neither a room nor the classifier explains is a
 * defect: INTERNAL, whose text points to the log and says nothing else.
 */
export function toDomainError(
  error: unknown,
  requestId: string,
  classify?: ErrorClassifier,
): DomainError {
  if (error instanceof DomainError) return error;
  return classify?.(error) ?? internalError(error, requestId);
}

function internalError(cause: unknown, requestId: string): DomainError {
  const message = `internal error; the server's log has the cause under request id ${requestId}`;
  return new DomainError("INTERNAL", message, { cause });
}

/** The public form of an error: code, text for people, and details for machines. */
export function toStatus(error: DomainError, requestId: string): Status {
  return create(StatusSchema, {
    code: toCode(error.kind),
    message: toAscii(error.message, MAX_MESSAGE_LENGTH),
    details: toDetails(error, requestId),
  });
}

/** The one place where the domain's vocabulary of errors meets the public one. */
function toCode(kind: ErrorKind): Code {
  switch (kind) {
    case "invalid-argument":
      return Code.INVALID_ARGUMENT;
    case "not-found":
      return Code.NOT_FOUND;
    case "already-exists":
      return Code.ALREADY_EXISTS;
    case "failed-precondition":
      return Code.FAILED_PRECONDITION;
    case "unauthenticated":
      return Code.UNAUTHENTICATED;
    case "permission-denied":
      return Code.PERMISSION_DENIED;
    case "aborted":
      return Code.ABORTED;
    case "unavailable":
      return Code.UNAVAILABLE;
    case "overloaded":
    case "too-large":
      return Code.RESOURCE_EXHAUSTED;
    case "deadline-exceeded":
      return Code.DEADLINE_EXCEEDED;
    case "cancelled":
      return Code.CANCELLED;
    case "unimplemented":
      return Code.UNIMPLEMENTED;
    case "internal":
      return Code.INTERNAL;
  }
}

function toDetails(error: DomainError, requestId: string): Any[] {
  const details = [toErrorInfo(error, requestId)];
  if (error.violations.length > 0) details.push(toBadRequest(error.violations));
  if (error.kind === "failed-precondition") details.push(toPreconditionFailure(error));
  if (error.resource !== undefined) details.push(toResourceInfo(error));
  if (error.kind === "unavailable" || error.kind === "overloaded") {
    details.push(toRetryInfo(error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS));
  }
  return details;
}

function toErrorInfo({ reason, kind }: DomainError, requestId: string): Any {
  return pack(ErrorInfoSchema, {
    reason,
    domain: ERROR_DOMAIN,
    metadata: kind === "internal" ? { request_id: requestId } : {},
  });
}

function toBadRequest(violations: readonly FieldViolation[]): Any {
  const fieldViolations: FieldViolation[] = [];
  let bytes = 0;
  for (const { field, description } of violations) {
    const shown = {
      field: toAscii(field, MAX_FIELD_LENGTH),
      description: toAscii(description, MAX_DESCRIPTION_LENGTH),
    };
    bytes += shown.field.length + shown.description.length;
    if (bytes > MAX_VIOLATION_BYTES && fieldViolations.length > 0) {
      const left = violations.length - fieldViolations.length;
      fieldViolations.push({ field: "", description: `and ${left} more violations` });
      break;
    }
    fieldViolations.push(shown);
  }
  return pack(BadRequestSchema, { fieldViolations });
}

/** Obstacles in one answer; see MAX_VIOLATION_BYTES. */
const MAX_OBSTACLES = 20;

function toPreconditionFailure({ reason, resource, obstacles, message }: DomainError): Any {
  const listed = obstacles.length === 0 ? [{ resource, description: message }] : obstacles;
  return pack(PreconditionFailureSchema, {
    violations: listed.slice(0, MAX_OBSTACLES).map((obstacle) => ({
      type: reason,
      subject: obstacle.resource ? `${obstacle.resource.type}/${obstacle.resource.name}` : "",
      description: toAscii(obstacle.description, MAX_DESCRIPTION_LENGTH),
    })),
  });
}

function toResourceInfo({ resource, message }: DomainError): Any {
  return pack(ResourceInfoSchema, {
    resourceType: resource?.type ?? "",
    // As it is, so that machines can use it: details are bytes, not a header's text.
    resourceName: resource?.name ?? "",
    description: toAscii(message, MAX_DESCRIPTION_LENGTH),
  });
}

function toRetryInfo(retryAfterMs: number): Any {
  const seconds = Math.floor(retryAfterMs / 1_000);
  const nanos = Math.round((retryAfterMs - seconds * 1_000) * 1_000_000);
  return pack(RetryInfoSchema, { retryDelay: { seconds: BigInt(seconds), nanos } });
}

function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

import { create, type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { ServiceError } from "@grpc/grpc-js";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  type BadRequest,
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  type PreconditionFailure,
  PreconditionFailureSchema,
  type ResourceInfo,
  ResourceInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.js";

/** The details that an error came with. */
export interface RpcErrorDetails {
  readonly errorInfo: ErrorInfo | undefined;
  readonly badRequest: BadRequest | undefined;
  readonly retryInfo: RetryInfo | undefined;
  readonly preconditionFailure: PreconditionFailure | undefined;
  readonly resourceInfo: ResourceInfo | undefined;
}

/** A call failed, by the server's answer or because there was none. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: Code;
  readonly details: RpcErrorDetails;

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message, options);
    this.code = status.code;
    this.details = {
      errorInfo: unpack(status, ErrorInfoSchema),
      badRequest: unpack(status, BadRequestSchema),
      retryInfo: unpack(status, RetryInfoSchema),
      preconditionFailure: unpack(status, PreconditionFailureSchema),
      resourceInfo: unpack(status, ResourceInfoSchema),
    };
  }

  /** Name of a `tally.v1.ErrorReason` without its prefix; undefined when the server gave none. */
  get reason(): string | undefined {
    return this.details.errorInfo?.reason;
  }

  /** Name of the code: "INVALID_ARGUMENT". */
  get codeName(): string {
    return Code[this.code] ?? String(this.code);
  }
}

function unpack<Desc extends DescMessage>(
  { details }: Status,
  schema: Desc,
): MessageShape<Desc> | undefined {
  for (const detail of details) {
    const message = anyUnpack(detail, schema);
    if (message !== undefined) return message;
  }
  return undefined;
}

/** What grpc-js reports of a failed call, with the details that the server sent. */
export function toRpcError(error: ServiceError): RpcError {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const { details } = Buffer.isBuffer(bytes) ? fromBinary(StatusSchema, bytes) : { details: [] };
  const status = create(StatusSchema, { code: error.code, message: error.details, details });
  return new RpcError(status, { cause: error });
}

import { toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { RpcError } from "../../src/client/rpc-error.js";
import { DomainError, ERROR_KINDS, type ErrorReason, invalidFields } from "../../src/errors.js";
import { toDomainError, toStatus } from "../../src/server/errors.js";

const CODES: Record<ErrorReason, Code> = {
  INVALID_FIELD: Code.INVALID_ARGUMENT,
  MALFORMED_REQUEST: Code.INVALID_ARGUMENT,
  REQUEST_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
  USAGE_RECORD_CONFLICT: Code.ALREADY_EXISTS,
  USAGE_RECORD_NOT_FOUND: Code.NOT_FOUND,
  USAGE_STATUS_CONFLICT: Code.FAILED_PRECONDITION,
  RESERVATION_INVALID: Code.INVALID_ARGUMENT,
  RESERVATION_ENDED: Code.FAILED_PRECONDITION,
  SUBJECT_NOT_FOUND: Code.NOT_FOUND,
  CATALOG_INVALID: Code.INVALID_ARGUMENT,
  CREDENTIALS_MISSING: Code.UNAUTHENTICATED,
  CREDENTIALS_INVALID: Code.UNAUTHENTICATED,
  CREDENTIALS_EXPIRED: Code.UNAUTHENTICATED,
  PERMISSION_DENIED: Code.PERMISSION_DENIED,
  TOKEN_NOT_FOUND: Code.NOT_FOUND,
  DATABASE_UNAVAILABLE: Code.UNAVAILABLE,
  OVERLOADED: Code.RESOURCE_EXHAUSTED,
  RATE_LIMITED: Code.RESOURCE_EXHAUSTED,
  SHUTTING_DOWN: Code.UNAVAILABLE,
  DEADLINE_EXCEEDED: Code.DEADLINE_EXCEEDED,
  CANCELLED: Code.CANCELLED,
  UNIMPLEMENTED: Code.UNIMPLEMENTED,
  INTERNAL: Code.INTERNAL,
  USAGE_RECORD_PURGED: Code.FAILED_PRECONDITION,
  TASK_UNDER_WAY: Code.FAILED_PRECONDITION,
  TASK_CONFLICT: Code.ALREADY_EXISTS,
  RESOURCE_NOT_FOUND: Code.NOT_FOUND,
  RESOURCE_ALREADY_EXISTS: Code.ALREADY_EXISTS,
  RESOURCE_IN_USE: Code.FAILED_PRECONDITION,
  ETAG_MISMATCH: Code.ABORTED,
  TOP_UP_NOT_POSSIBLE: Code.FAILED_PRECONDITION,
  REQUEST_ID_CONFLICT: Code.ALREADY_EXISTS,
};

/** The error as a client sees it. */
function seen(error: DomainError): RpcError {
  return new RpcError(toStatus(error, "call-1"));
}

describe("toStatus", () => {
  for (const reason of Object.keys(ERROR_KINDS) as ErrorReason[]) {
    const code = CODES[reason];
    it(`answers ${reason} with ${Code[code]} and its reason`, () => {
      const error = seen(new DomainError(reason, "text"));
      expect(error.code).to.equal(code);
      expect(error.message).to.equal("text");
      expect(error.details.errorInfo).to.include({ reason, domain: "tally" });
    });

    // What is too large stays so.
    const isRetryable =
      code === Code.UNAVAILABLE ||
      (code === Code.RESOURCE_EXHAUSTED && reason !== "REQUEST_TOO_LARGE");
    it(`${isRetryable ? "says when" : "does not say"} to try again after ${reason}`, () => {
      const { retryInfo } = seen(new DomainError(reason, "text")).details;
      expect(retryInfo?.retryDelay?.seconds).to.equal(isRetryable ? 1n : undefined);
    });
  }

  it("takes the time to try again from the error", () => {
    const { retryInfo } = seen(
      new DomainError("OVERLOADED", "full", { retryAfterMs: 2_250 }),
    ).details;
    expect(retryInfo?.retryDelay).to.include({ seconds: 2n, nanos: 250_000_000 });
  });

  it("names every violated field", () => {
    const violations = Array.from({ length: 20 }, (_, index) => ({
      field: `requests[${index}].model`,
      description: "must be at least 1 characters",
    }));
    const { badRequest } = seen(invalidFields(violations)).details;
    expect(badRequest?.fieldViolations.map(({ field }) => field)).to.deep.equal(
      violations.map(({ field }) => field),
    );
  });

  it("fits into the 8 KiB of headers that clients take, and says how much it left out", () => {
    const violations = Array.from({ length: 1_000 }, (_, index) => ({
      field: `tags["${"k".repeat(500)}${index}"]`,
      description: "\u00e9".repeat(1_000),
    }));
    const status = toStatus(invalidFields(violations), "call-1");
    const details = toBinary(StatusSchema, status);
    expect((details.length * 4) / 3 + status.message.length).to.be.below(8_000);
    const named = new RpcError(status).details.badRequest?.fieldViolations ?? [];
    expect(named.at(-1)?.description).to.equal(`and ${1_000 - named.length + 1} more violations`);
  });

  it("says what a failed precondition is about", () => {
    const resource = { type: "usage_record", name: "req-1" };
    const error = seen(new DomainError("USAGE_STATUS_CONFLICT", "it is finished", { resource }));
    expect(error.details.preconditionFailure?.violations[0]).to.include({
      type: "USAGE_STATUS_CONFLICT",
      subject: "usage_record/req-1",
      description: "it is finished",
    });
  });

  it("names the resource as it is and everything else in ASCII", () => {
    const resource = { type: "usage_record", name: "gr\u00fcn" };
    const error = seen(new DomainError("USAGE_RECORD_NOT_FOUND", 'no "gr\u00fcn"\n', { resource }));
    expect(error.details.resourceInfo).to.include({
      resourceType: "usage_record",
      resourceName: "gr\u00fcn",
      description: 'no "gr\\u00fcn"\\u000a',
    });
    expect(error.message).to.equal('no "gr\\u00fcn"\\u000a');
  });
});

describe("toDomainError", () => {
  it("makes a defect of what nobody explains, and tells nothing of it", () => {
    const cause = new TypeError("secret");
    const error = toDomainError(cause, "call-1");
    expect(error.reason).to.equal("INTERNAL");
    expect(error.cause).to.equal(cause);
    expect(error.message).to.include("call-1").and.not.include("secret");
    expect(seen(error).details.errorInfo?.metadata).to.deep.equal({ request_id: "call-1" });
  });

  it("asks the classifier about foreign errors only", () => {
    const away = new DomainError("DATABASE_UNAVAILABLE", "away");
    expect(toDomainError(new Error("ECONNREFUSED"), "call-1", () => away)).to.equal(away);
    const own = new DomainError("OVERLOADED", "full");
    expect(toDomainError(own, "call-1", () => away)).to.equal(own);
  });
});

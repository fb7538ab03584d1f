import { create } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { expect } from "chai";
import { file_tally_v1_catalog, ModelSchema } from "../../gen/tally/v1/catalog_pb.js";
import { file_tally_v1_operations } from "../../gen/tally/v1/operations_pb.js";
import {
  CheckQuotaRequestSchema,
  file_tally_v1_quota_checker,
  GetQuotaRequestSchema,
} from "../../gen/tally/v1/quota_checker_pb.js";
import { file_tally_v1_usage, PriceSchema, type UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import {
  file_tally_v1_usage_recorder,
  RecordUsageRequestSchema,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import { DomainError, type FieldViolation } from "../../src/errors.js";
import { allViolations, assertValid, validateMessage } from "../../src/server/validate.js";

function texts(violations: readonly FieldViolation[]): string[] {
  return violations.map(({ field, description }) => `${field}: ${description}`);
}

describe("validateMessage", () => {
  it("finds nothing in a message that keeps the rules", () => {
    const request = create(CheckQuotaRequestSchema, { userId: "u", estimatedTokens: 0n });
    expect(validateMessage(CheckQuotaRequestSchema, request)).to.deep.equal([]);
  });

  it("finds every violation at once, each with its path and value", () => {
    const request = create(RecordUsageRequestSchema, {
      usage: {
        requestId: "a\0b",
        model: "",
        inputTokens: -5n,
        statusCode: 7,
        status: 77 as UsageStatus,
        createTime: { seconds: 1n },
        tags: { "": "x", "a=b": "y", team: "v".repeat(201) },
      },
    });
    expect(texts(validateMessage(RecordUsageRequestSchema, request))).to.deep.equal([
      'usage.request_id: must not contain NUL (was "a\\u0000b")',
      'usage.model: must be at least 1 characters (was "")',
      "usage.input_tokens: must be greater than or equal to 0 and less than or equal to " +
        "1099511627776 (was -5)",
      "usage.status_code: must be greater than or equal to 100 and less than or equal to 599 (was 7)",
      "usage.status: value must be one of the defined enum values (was 77)",
      "usage.create_time: must be greater than or equal to 2000-01-01T00:00:00Z " +
        "(was 1970-01-01T00:00:01Z)",
      'usage.tags[""]: must be at least 1 characters (was "")',
      'usage.tags["a=b"]: must not contain NUL or "=" (was "a=b")',
      `usage.tags["team"]: must be at most 200 characters (was "${"v".repeat(64)}"... ` +
        "(201 characters))",
    ]);
  });

  it("blames the field that a rule over several fields names", () => {
    const check = create(CheckQuotaRequestSchema, {});
    expect(texts(validateMessage(CheckQuotaRequestSchema, check))).to.deep.equal([
      "user_id: is required when api_key_id is not given",
    ]);
    const record = create(RecordUsageRequestSchema, {
      usage: { model: "m", cacheReadInputTokens: 1n },
    });
    expect(texts(validateMessage(RecordUsageRequestSchema, record))).to.deep.equal([
      "usage.token_convention: is required when cache tokens are given " +
        "(CACHE_EXCLUSIVE or CACHE_INCLUSIVE)",
    ]);
  });

  it("shows durations, and leaves out what cannot be written down", () => {
    const long = create(CheckQuotaRequestSchema, {
      userId: "u",
      reservationTtl: { seconds: 86_401n },
    });
    expect(texts(validateMessage(CheckQuotaRequestSchema, long))[0]).to.match(/ \(was 86401s\)$/);
    const absurd = create(CheckQuotaRequestSchema, {
      userId: "u",
      reservationTtl: { seconds: 1n << 60n },
    });
    expect(texts(validateMessage(CheckQuotaRequestSchema, absurd))[0]).to.match(/86400s$/);
  });

  it("shows lists and maps by their size, and nothing for what is missing", () => {
    const price = create(PriceSchema, { tiers: Array.from({ length: 17 }, () => ({})) });
    expect(texts(validateMessage(PriceSchema, price))).to.deep.equal([
      "tiers: must contain no more than 16 item(s) (was 17 entries)",
    ]);
    expect(
      texts(validateMessage(RecordUsageRequestSchema, create(RecordUsageRequestSchema))),
    ).to.deep.equal(["usage: value is required"]);
    expect(
      texts(validateMessage(GetQuotaRequestSchema, create(GetQuotaRequestSchema))),
    ).to.deep.equal(["subject: exactly one field is required in oneof"]);
  });

  it("puts the prefix before every path", () => {
    const request = create(RecordUsageRequestSchema, { usage: { model: "m", statusCode: 7 } });
    const [{ field }] = validateMessage(RecordUsageRequestSchema, request, "requests[3]") as [
      FieldViolation,
    ];
    expect(field).to.equal("requests[3].usage.status_code");
  });

  it("compiles the rules of every message of the contract", () => {
    const files = [
      file_tally_v1_catalog,
      file_tally_v1_operations,
      file_tally_v1_quota_checker,
      file_tally_v1_usage,
      file_tally_v1_usage_recorder,
    ];
    const messages = files
      .flatMap((file) => [...nestedTypes(file)])
      .filter((type) => type.kind === "message");
    expect(messages.length).to.be.greaterThan(50);
    for (const schema of messages) {
      expect(() => validateMessage(schema, create(schema)), schema.typeName).not.to.throw();
    }
  });
});

describe("allViolations", () => {
  it("does not blame a field twice", () => {
    const contract = [{ field: "a", description: "contract" }];
    const further = [
      { field: "a", description: "further" },
      { field: "b", description: "further" },
    ];
    expect(allViolations(contract, further)).to.deep.equal([contract[0], further[1]]);
  });
});

describe("assertValid", () => {
  it("throws the violations of the contract and of a further rule together", () => {
    const model = create(ModelSchema, { model: "" });
    const rule = () => [{ field: "display_name", description: "is taken" }];
    expect(() => assertValid(ModelSchema, model, rule))
      .to.throw(DomainError)
      .that.satisfies(
        (error: DomainError) =>
          error.reason === "INVALID_FIELD" &&
          error.violations.map(({ field }) => field).join() === "model,display_name",
      );
  });
});

import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import fc from "fast-check";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.js";
import { file_tally_v1_catalog } from "../gen/tally/v1/catalog_pb.js";
import { file_tally_v1_operations } from "../gen/tally/v1/operations_pb.js";
import { file_tally_v1_quota_checker } from "../gen/tally/v1/quota_checker_pb.js";
import { file_tally_v1_usage, UsageInputSchema } from "../gen/tally/v1/usage_pb.js";
import { file_tally_v1_usage_recorder } from "../gen/tally/v1/usage_recorder_pb.js";
import { MAX_SEED } from "../src/traffic/prng.js";
import { encodeCompiled } from "../src/wire-encoder.js";
import { drawFrom, drawMessage, drawWireScalar } from "./support/random-message.js";

const files = [
  file_tally_v1_usage,
  file_tally_v1_usage_recorder,
  file_tally_v1_quota_checker,
  file_tally_v1_catalog,
  file_tally_v1_operations,
  file_google_rpc_error_details,
];
const schemas = files.flatMap(({ messages }) => messages);

describe("encodeCompiled", () => {
  it("writes the bytes that protobuf-es writes, for every message of the contract", () => {
    fc.assert(
      fc.property(fc.constantFrom(...schemas), fc.nat(MAX_SEED), (schema, seed) => {
        const { message } = drawMessage(drawFrom(seed), schema, 2, { drawScalar: drawWireScalar });

        const bytes = encodeCompiled(schema, message);

        expect(bytes.toString("hex")).to.equal(
          Buffer.from(toBinary(schema, message)).toString("hex"),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("writes JSON, unknown fields and bytes beyond the size of its buffer", () => {
    const message = create(UsageInputSchema, {
      requestId: "r",
      metadata: { list: [1, "two", null, { three: true }] },
      requestBody: fromJson(ValueSchema, { text: "x".repeat(2_000_000), list: [{ deep: 1.5 }] }),
    });
    message.$unknown = [{ no: 999, wireType: 0, data: Uint8Array.of(0x96, 0x01) }];

    const bytes = encodeCompiled(UsageInputSchema, message);

    expect(bytes.equals(toBinary(UsageInputSchema, message))).to.equal(true);
    expect(encodeCompiled(UsageInputSchema, create(UsageInputSchema))).to.have.length(0);
  });

  it("leaves what it answered alone when it writes the next message", () => {
    const first = encodeCompiled(UsageInputSchema, create(UsageInputSchema, { model: "a" }));
    const before = first.toString("hex");

    encodeCompiled(UsageInputSchema, create(UsageInputSchema, { model: "b" }));

    expect(first.toString("hex")).to.equal(before);
  });
});

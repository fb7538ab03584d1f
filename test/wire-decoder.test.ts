import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import { file_tally_v1_analytics } from "../gen/tally/v1/analytics_pb.js";
import { BudgetSchema, file_tally_v1_catalog } from "../gen/tally/v1/catalog_pb.js";
import { file_tally_v1_operations } from "../gen/tally/v1/operations_pb.js";
import {
  CheckQuotaRequestSchema,
  ExtendReservationRequestSchema,
  file_tally_v1_quota_checker,
} from "../gen/tally/v1/quota_checker_pb.js";
import { file_tally_v1_usage, UsageInputSchema } from "../gen/tally/v1/usage_pb.js";
import {
  BatchRecordUsageRequestSchema,
  file_tally_v1_usage_recorder,
  RecordUsageRequestSchema,
} from "../gen/tally/v1/usage_recorder_pb.js";
import { MAX_SEED } from "../src/traffic/prng.js";
import { installTextEncoding } from "../src/wire.js";
import { decodeCompiled } from "../src/wire-decoder.js";
import { type Draw, drawFrom, drawMessage, drawWireScalar } from "./support/random-message.js";

const schemas = [
  file_tally_v1_analytics,
  file_tally_v1_catalog,
  file_tally_v1_operations,
  file_tally_v1_quota_checker,
  file_tally_v1_usage,
  file_tally_v1_usage_recorder,
].flatMap(({ messages }) => messages);

const hotSchemas: readonly DescMessage[] = [
  CheckQuotaRequestSchema,
  ExtendReservationRequestSchema,
  RecordUsageRequestSchema,
  UsageInputSchema,
  BatchRecordUsageRequestSchema,
];

const OPTIONS = { readUnknownFields: false };

function drawBytes(draw: Draw, schema: DescMessage): Uint8Array {
  const { message } = drawMessage(draw, schema, 3, { drawScalar: drawWireScalar });
  return toBinary(schema, message);
}

/** Compares with what protobuf-es reads, if anything was read. */
function expectSame(schema: DescMessage, bytes: Uint8Array): boolean {
  const read = decodeCompiled(schema, bytes);
  if (read !== undefined) expect(read).to.deep.equal(fromBinary(schema, bytes, OPTIONS));
  return read !== undefined;
}

describe("decodeCompiled", () => {
  before(installTextEncoding);

  it("reads the messages that protobuf-es reads, for every message of the contract", () => {
    let read = 0;
    fc.assert(
      fc.property(fc.constantFrom(...schemas, ...hotSchemas), fc.nat(MAX_SEED), (schema, seed) => {
        if (expectSame(schema, drawBytes(drawFrom(seed), schema))) read += 1;
      }),
      { numRuns: 2_000 },
    );
    expect(read).to.be.greaterThan(300);
  });

  it("reads bytes that were cut, joined or changed as protobuf-es does, or not at all", () => {
    fc.assert(
      fc.property(fc.constantFrom(...hotSchemas), fc.nat(MAX_SEED), (schema, seed) => {
        const draw = drawFrom(seed);
        const bytes = Buffer.concat([drawBytes(draw, schema), drawBytes(draw, schema)]);
        const cut = bytes.subarray(0, draw(Math.min(bytes.length, 2_000) + 1));
        expectSame(schema, cut);
        const changed = Buffer.from(draw(2) === 0 ? cut : bytes);
        for (let change = draw(3); change >= 0 && changed.length > 0; change -= 1) {
          changed[draw(Math.min(changed.length, 300))] = draw(256);
        }
        expectSame(schema, changed);
      }),
      { numRuns: 4_000 },
    );
  });

  it("reads bytes that nobody wrote as protobuf-es does, or not at all", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...hotSchemas),
        fc.uint8Array({ maxLength: 60 }),
        (schema, bytes) => {
          expectSame(schema, bytes);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("reads what gateways send", () => {
    const usage = create(UsageInputSchema, {
      requestId: "r-\u00fc",
      model: "m".repeat(100),
      inputTokens: 2n ** 48n,
      cacheReadInputTokens: 0n,
      cacheCreations: [{ ttlMinutes: 5, tokens: 7n }],
      isStream: true,
      statusCode: 200,
      createTime: { seconds: 1_800_000_000n, nanos: 1 },
      tags: { team: "a", __proto__x: "" },
    });
    const record = toBinary(RecordUsageRequestSchema, create(RecordUsageRequestSchema, { usage }));
    expect(expectSame(RecordUsageRequestSchema, record)).to.equal(true);
    const check = create(CheckQuotaRequestSchema, {
      userId: "u",
      expectation: { case: "estimate", value: { inputTokens: 1n } },
      reservationTtl: { seconds: 2n },
      reserve: true,
    });
    const bytes = toBinary(CheckQuotaRequestSchema, check);
    expect(expectSame(CheckQuotaRequestSchema, bytes)).to.equal(true);
  });

  it("leaves text that is no UTF-8 and fields that it does not know", () => {
    const surrogate = Uint8Array.from([0x0a, 3, 0xed, 0xa0, 0x80]);
    expect(decodeCompiled(CheckQuotaRequestSchema, surrogate)).to.equal(undefined);
    const unknown = Uint8Array.from([0xfa, 0x3f, 1, 0x61]);
    expect(decodeCompiled(CheckQuotaRequestSchema, unknown)).to.equal(undefined);
    expect(fromBinary(CheckQuotaRequestSchema, unknown, OPTIONS)).to.deep.equal(
      create(CheckQuotaRequestSchema),
    );
  });

  it("leaves packed lists, whose length is no value of theirs", () => {
    // Read as values, a length of 2 would be the first percent and 80 the tag of on_unavailable.
    const budget = create(BudgetSchema, { budgetId: "a", alertPercents: [80, 100] });
    const bytes = toBinary(BudgetSchema, budget);
    expect(decodeCompiled(BudgetSchema, bytes)).to.equal(undefined);
  });

  it("leaves what is written in an odd way", () => {
    const odd = {
      "an entry of a map with two keys": [0x2a, 6, 0x0a, 1, 0x61, 0x0a, 1, 0x62],
      "an entry of a map without a key": [0x2a, 3, 0x12, 1, 0x61],
      "a message twice": [0x3a, 2, 0x08, 1, 0x3a, 2, 0x10, 2],
      "a number in nine bytes": [0x40, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
      "a text with the type of a number": [0x08, 1],
    };
    for (const [name, bytes] of Object.entries(odd)) {
      const request = Uint8Array.from(bytes);
      expect(decodeCompiled(CheckQuotaRequestSchema, request), name).to.equal(undefined);
    }
  });
});

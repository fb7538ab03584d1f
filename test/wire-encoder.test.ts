import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import fc from "fast-check";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.js";
import { file_tally_v1_catalog } from "../gen/tally/v1/catalog_pb.js";
import { file_tally_v1_operations } from "../gen/tally/v1/operations_pb.js";
import { file_tally_v1_quota_checker } from "../gen/tally/v1/quota_checker_pb.js";
import { file_tally_v1_usage, UsageInputSchema } from "../gen/tally/v1/usage_pb.js";
import { file_tally_v1_usage_recorder } from "../gen/tally/v1/usage_recorder_pb.js";
import { createPrng, MAX_SEED } from "../src/traffic/prng.js";
import { encodeCompiled } from "../src/wire-encoder.js";

const files = [
  file_tally_v1_usage,
  file_tally_v1_usage_recorder,
  file_tally_v1_quota_checker,
  file_tally_v1_catalog,
  file_tally_v1_operations,
  file_google_rpc_error_details,
];
const schemas = files.flatMap(({ messages }) => messages);

const texts = [
  "",
  "a",
  "gr\u00fc\u00dfe \u{1f680}",
  "x".repeat(63),
  "x".repeat(64),
  "\u00e9".repeat(127),
  "y".repeat(20_000),
];
const longs = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const numbers = [0, 1, -1, 127, 128, 16_384, 2 ** 31 - 1, -(2 ** 31)];
const sizes = [0, 1, 127, 128, 5_000];

/** Which of so many, from what fast-check decided. */
type Draw = (count: number) => number;

function drawScalar(draw: Draw, type: ScalarType): unknown {
  const from = <T>(values: readonly T[]): T => values[draw(values.length)]!;
  switch (type) {
    case ScalarType.STRING:
      return from(texts);
    case ScalarType.BYTES:
      return new Uint8Array(from(sizes)).fill(7);
    case ScalarType.BOOL:
      return draw(2) === 1;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return from([0, -0, 1.5, -2.25, Number.NaN, Number.POSITIVE_INFINITY]);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return Math.abs(from(numbers));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return from(longs);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return BigInt.asUintN(64, from(longs));
    default:
      return from(numbers);
  }
}

function drawValue(draw: Draw, field: DescField, depth: number): unknown {
  if (field.message) return drawMessage(draw, field.message, depth - 1);
  if (field.enum) return field.enum.values[draw(field.enum.values.length)]!.number;
  return drawScalar(draw, field.scalar as ScalarType);
}

function drawMessage(draw: Draw, schema: DescMessage, depth: number): ReflectMessage {
  const message = reflect(schema);
  for (const field of schema.fields) {
    const isDeep = field.message !== undefined && depth === 0;
    if (isDeep || isJsonType(field.message) || draw(2) === 0) continue;
    if (field.fieldKind === "list") {
      const length = draw(3);
      for (let i = 0; i < length; i += 1)
        message.get(field).add(drawValue(draw, field, depth) as never);
    } else if (field.fieldKind === "map") {
      const key = drawScalar(draw, field.mapKey);
      message.get(field).set(key as never, drawValue(draw, field, depth) as never);
    } else {
      message.set(field, drawValue(draw, field, depth) as never);
    }
  }
  return message;
}

/** Reflection wants plain JSON for a Struct, and for what holds one. */
function isJsonType(schema: DescMessage | undefined): boolean {
  return schema?.file.name === "google/protobuf/struct";
}

describe("encodeCompiled", () => {
  it("writes the bytes that protobuf-es writes, for every message of the contract", () => {
    fc.assert(
      fc.property(fc.constantFrom(...schemas), fc.nat(MAX_SEED), (schema, seed) => {
        const random = createPrng(seed);
        const draw: Draw = (count) => random.integer(0, count - 1);
        const { message } = drawMessage(draw, schema, 2);

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

import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { createPrng } from "../../src/traffic/prng.js";

/** Which of so many. */
export type Draw = (count: number) => number;

/** Values of a field of this type, one of which is drawn. */
export type DrawScalar = (draw: Draw, type: ScalarType) => unknown;

/** How messages are drawn. */
export interface MessageDrawing {
  readonly drawScalar: DrawScalar;
  /** A message of this type; undefined: field by field like all others. */
  readonly drawWhole?: (draw: Draw, schema: DescMessage) => ReflectMessage | undefined;
  /** The number of an enum's value; by default one that the contract names. */
  readonly drawEnum?: (draw: Draw, field: DescField) => number;
}

/** Draws that depend on the seed alone. */
export function drawFrom(seed: number): Draw {
  const random = createPrng(seed);
  return (count) => random.integer(0, count - 1);
}

/** A message of which about half the fields are set, down to so many messages within. */
export function drawMessage(
  draw: Draw,
  schema: DescMessage,
  depth: number,
  how: MessageDrawing,
): ReflectMessage {
  const whole = how.drawWhole?.(draw, schema);
  if (whole) return whole;
  const message = reflect(schema);
  for (const field of schema.fields) {
    const isDeep = field.message !== undefined && depth === 0;
    if (isDeep || isJsonType(field.message) || draw(2) === 0) continue;
    const value = () => drawValue(draw, field, depth, how) as never;
    if (field.fieldKind === "list") {
      const length = draw(3);
      for (let index = 0; index < length; index += 1) message.get(field).add(value());
    } else if (field.fieldKind === "map") {
      const key = how.drawScalar(draw, field.mapKey);
      message.get(field).set(key as never, value());
    } else {
      message.set(field, value());
    }
  }
  return message;
}

function drawValue(draw: Draw, field: DescField, depth: number, how: MessageDrawing): unknown {
  if (field.message) return drawMessage(draw, field.message, depth - 1, how);
  if (!field.enum) return how.drawScalar(draw, field.scalar as ScalarType);
  return how.drawEnum?.(draw, field) ?? field.enum.values[draw(field.enum.values.length)]!.number;
}

/** Reflection wants plain JSON for a Struct, and for what holds one. */
function isJsonType(schema: DescMessage | undefined): boolean {
  return schema?.file.name === "google/protobuf/struct";
}

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

/** Values at the edges of how they are written on the wire. */
export const drawWireScalar: DrawScalar = (draw, type) => {
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
};

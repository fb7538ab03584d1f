import { create, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import fc from "fast-check";
import { file_tally_v1_analytics } from "../../../gen/tally/v1/analytics_pb.js";
import { file_tally_v1_catalog } from "../../../gen/tally/v1/catalog_pb.js";
import { file_tally_v1_identity } from "../../../gen/tally/v1/identity_pb.js";
import { file_tally_v1_operations } from "../../../gen/tally/v1/operations_pb.js";
import {
  CheckQuotaRequestSchema,
  ExtendReservationRequestSchema,
  file_tally_v1_quota_checker,
  GetQuotaRequestSchema,
  ReleaseReservationRequestSchema,
} from "../../../gen/tally/v1/quota_checker_pb.js";
import {
  file_tally_v1_usage,
  TokenConvention,
  type UsageInput,
  UsageInputSchema,
} from "../../../gen/tally/v1/usage_pb.js";
import {
  BatchRecordUsageRequestSchema,
  file_tally_v1_usage_recorder,
  RecordUsageRequestSchema,
  StartUsageRequestSchema,
  StreamRecordUsageRequestSchema,
  UpdateUsageStatusRequestSchema,
} from "../../../gen/tally/v1/usage_recorder_pb.js";
import { surelyKeepsRules } from "../../../src/server/acceptance/accepts.js";
import { interpretRules } from "../../../src/server/validate.js";
import { MAX_SEED } from "../../../src/traffic/prng.js";
import { type Draw, drawFrom, drawMessage, drawWireScalar } from "../../support/random-message.js";

const everyMessage = [
  file_tally_v1_analytics,
  file_tally_v1_catalog,
  file_tally_v1_identity,
  file_tally_v1_operations,
  file_tally_v1_quota_checker,
  file_tally_v1_usage,
  file_tally_v1_usage_recorder,
].flatMap(({ messages }) => messages);

/** Those of the calls that a gateway makes for each of its requests. */
const hotMessages: readonly DescMessage[] = [
  CheckQuotaRequestSchema,
  ExtendReservationRequestSchema,
  ReleaseReservationRequestSchema,
  UsageInputSchema,
  RecordUsageRequestSchema,
  BatchRecordUsageRequestSchema,
  StreamRecordUsageRequestSchema,
  StartUsageRequestSchema,
  UpdateUsageStatusRequestSchema,
];

const LENGTHS = [1, 50, 51, 63, 64, 65, 100, 101, 125, 126, 200, 201, 250, 251, 10_001, 16_385];
const WILD_TEXTS = [
  "",
  "a=b",
  "a\0b",
  "0.5",
  "1.2345678901",
  ...LENGTHS.flatMap((length) =>
    ["x", "\u00e9", "\u20ac", "\u{1f680}"].map((letter) => letter.repeat(length)),
  ),
];
const EDGES = [
  0,
  1,
  2,
  99,
  100,
  366,
  599,
  1_000,
  3_600,
  525_600,
  2 ** 31 - 1,
  2 ** 40,
  2 ** 42,
  1e15,
  1e18,
];
const WILD_LONGS = EDGES.flatMap((edge) => [-1n, 0n, 1n].map((step) => BigInt(edge) + step));
const WILD_NUMBERS = WILD_LONGS.map(Number).filter((number) => number < 2 ** 31);
const SECONDS = [0, 1, 86_400, 2_592_000, 946_684_800, 4_000_000_000].flatMap((edge) =>
  [-1, 0, 1].map((step) => BigInt(edge + step)),
);
const NANOS = [0, 1, 999_999_999];
const STRANGE_SECONDS = [...SECONDS, -1n, 2n ** 60n, -(2n ** 60n), 253_402_300_800n];
const STRANGE_NANOS = [...NANOS, -1, 1_000_000_000, -(2 ** 31)];

/**
 * A message whose values are usual ones, but for one in so many, which is one that a rule may be
 * about.
 */
function drawRuled(
  draw: Draw,
  schema: DescMessage,
  wildness: number,
  moments: { readonly seconds: readonly bigint[]; readonly nanos: readonly number[] },
) {
  const isWild = () => draw(wildness) === 0;
  const from = <T>(values: readonly T[]): T => values[draw(values.length)]!;
  return drawMessage(draw, schema, 3, {
    drawScalar(_, type) {
      switch (type) {
        case ScalarType.STRING:
          return isWild() ? from(WILD_TEXTS) : "a";
        case ScalarType.INT64:
          return isWild() ? from(WILD_LONGS) : 100n;
        case ScalarType.INT32:
          return isWild() ? from(WILD_NUMBERS) : 100;
        case ScalarType.BOOL:
          return draw(2) === 1;
        case ScalarType.DOUBLE:
          return from([0, 1, Number.NaN]);
        default:
          return drawWireScalar(draw, type);
      }
    },
    drawWhole(_, type): ReflectMessage | undefined {
      const isMoment = MOMENTS.has(type.typeName);
      if (!isMoment) return undefined;
      const usual = type.typeName === DurationSchema.typeName ? 60n : 1_800_000_000n;
      const seconds = isWild() ? from(moments.seconds) : usual;
      return reflect(type, create(type, { seconds, nanos: isWild() ? from(moments.nanos) : 0 }));
    },
    drawEnum: (_, field: DescField) =>
      isWild() ? from([0, 1, 77, -1]) : from(field.enum!.values).number,
  });
}

const MOMENTS: ReadonlySet<string> = new Set([DurationSchema.typeName, TimestampSchema.typeName]);

const wildness = fc.constantFrom(3, 30, 1_000_000);

describe("surelyKeepsRules", () => {
  it("accepts only what protovalidate finds nothing in, for every message of the contract", () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...everyMessage, ...hotMessages),
        fc.nat(MAX_SEED),
        wildness,
        (schema, seed, wild) => {
          const moments = { seconds: STRANGE_SECONDS, nanos: STRANGE_NANOS };
          const { message } = drawRuled(drawFrom(seed), schema, wild, moments);
          if (!surelyKeepsRules(schema, message)) return;
          accepted += 1;
          expect(interpretRules(schema, message)).to.deep.equal([]);
        },
      ),
      { numRuns: 3_000 },
    );
    expect(accepted).to.be.greaterThan(500);
  });

  it("accepts all that keeps the rules, for messages of the calls that are made most", () => {
    let valid = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...hotMessages),
        fc.nat(MAX_SEED),
        wildness,
        (schema, seed, wild) => {
          const moments = { seconds: SECONDS.filter((seconds) => seconds >= 0n), nanos: NANOS };
          const { message } = drawRuled(drawFrom(seed), schema, wild, moments);
          const isValid = interpretRules(schema, message).length === 0;
          if (isValid) valid += 1;
          expect(surelyKeepsRules(schema, message)).to.equal(isValid);
        },
      ),
      { numRuns: 2_000 },
    );
    expect(valid).to.be.greaterThan(200);
  });

  it("heeds what is required, of fields and of one of several", () => {
    const withoutUsage = create(RecordUsageRequestSchema);
    expect(surelyKeepsRules(RecordUsageRequestSchema, withoutUsage)).to.equal(false);
    const withoutSubject = create(GetQuotaRequestSchema);
    expect(surelyKeepsRules(GetQuotaRequestSchema, withoutSubject)).to.equal(false);
    const ofUser = create(GetQuotaRequestSchema, { subject: { case: "userId", value: "u" } });
    expect(surelyKeepsRules(GetQuotaRequestSchema, ofUser)).to.equal(true);
  });

  it("counts characters and bytes of texts", () => {
    const accepted = ["x", "\u00e9", "\u20ac", "\u{1f680}"].map((letter) => {
      const accepts = (length: number) =>
        surelyKeepsRules(
          UsageInputSchema,
          create(UsageInputSchema, { model: "m", userId: letter.repeat(length) }),
        );
      return Array.from({ length: 202 }, (_, length) => length).filter(accepts).length - 1;
    });
    expect(accepted, "at most 200 characters and 500 bytes").to.deep.equal([200, 200, 166, 125]);
  });

  it("counts what lists and maps hold", () => {
    const usageWith = (tags: number, cacheCreations: number) =>
      create(UsageInputSchema, {
        model: "m",
        tokenConvention: TokenConvention.CACHE_EXCLUSIVE,
        tags: Object.fromEntries(Array.from({ length: tags }, (_, index) => [`t${index}`, ""])),
        cacheCreations: Array.from({ length: cacheCreations }, () => ({ ttlMinutes: 5 })),
      });
    const accepts = (usage: UsageInput) => surelyKeepsRules(UsageInputSchema, usage);
    expect(accepts(usageWith(16, 16))).to.equal(true);
    expect(accepts(usageWith(17, 16))).to.equal(false);
    expect(accepts(usageWith(16, 17))).to.equal(false);

    const batchAccepted = [0, 1, 1_000, 1_001].filter((length) => {
      const requests = Array.from({ length }, () => ({}));
      const batch = create(BatchRecordUsageRequestSchema, { requests });
      return surelyKeepsRules(BatchRecordUsageRequestSchema, batch);
    });
    expect(batchAccepted).to.deep.equal([1, 1_000]);
  });
});

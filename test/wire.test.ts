import { create, fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import { CheckQuotaRequestSchema } from "../gen/tally/v1/quota_checker_pb.js";
import { encodeMessage, installTextEncoding } from "../src/wire.js";

function roundTrip(userId: string): string {
  const bytes = encodeMessage(CheckQuotaRequestSchema, create(CheckQuotaRequestSchema, { userId }));
  return fromBinary(CheckQuotaRequestSchema, bytes).userId;
}

describe("text on the wire", () => {
  before(installTextEncoding);

  it("is the same after a round trip, a byte order mark included", () => {
    expect(roundTrip("\ufeffa")).to.equal("\ufeffa");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(roundTrip(text)).to.equal(text);
      }),
    );
  });

  it("is refused when it is not UTF-8", () => {
    const loneSurrogate = Uint8Array.from([0x0a, 3, 0xed, 0xa0, 0x80]);
    expect(() => fromBinary(CheckQuotaRequestSchema, loneSurrogate)).to.throw(TypeError);
  });
});

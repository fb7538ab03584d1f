import { expect } from "chai";
import fc from "fast-check";
import type { Reservation } from "../../src/quota/reservation.js";
import {
  createReservationIdCodec,
  InvalidReservationIdError,
} from "../../src/quota/reservation-id.js";

const codec = createReservationIdCodec(Buffer.alloc(32, 1));

const int64 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const times = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });

const reservations: fc.Arbitrary<Reservation> = fc.record({
  uid: fc.uuid(),
  expireTimeMs: times,
  holds: fc.array(
    fc.record({
      leaseId: int64,
      budgetId: fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }),
      periodStartMs: times,
      held: int64,
    }),
    { maxLength: 24 },
  ),
});

const SAMPLE: Reservation = {
  uid: "0198c5a7-0000-7000-8000-000000000001",
  expireTimeMs: 1_800_000_000_000,
  holds: [
    { leaseId: 7n, budgetId: "user:alice", periodStartMs: -86_400_000, held: 1_500_000_000n },
    { leaseId: 8n, budgetId: "\u00e9\u{1f600}", periodStartMs: 0, held: 0n },
  ],
};

/** What decoding ends with: the reservation, or the class of its error. */
function outcome(id: string, by = codec): unknown {
  try {
    return by.decode(id);
  } catch (error) {
    return (error as Error).constructor;
  }
}

describe("createReservationIdCodec", () => {
  it("reads what it wrote, whatever it says", () => {
    fc.assert(
      fc.property(reservations, (reservation) => {
        const id = codec.encode(reservation);
        expect(id).to.match(/^[A-Za-z0-9_-]+$/);
        expect(codec.decode(id)).to.deep.equal(reservation);
      }),
    );
  });

  it("fits 14 budgets with the longest ids into the contract's limit", () => {
    const hold = { ...SAMPLE.holds[0]!, budgetId: "\u{1f600}".repeat(200) };
    const id = codec.encode({ ...SAMPLE, holds: Array(14).fill(hold) });
    expect(id.length).to.be.at.most(16_384);
  });

  it("refuses an id with any bit changed", () => {
    const bytes = Buffer.from(codec.encode(SAMPLE), "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const altered = Buffer.from(bytes);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      expect(outcome(altered.toString("base64url")), `bit ${bit}`).to.equal(
        InvalidReservationIdError,
      );
    }
  });

  it("refuses an id with any character changed, dropped, doubled or put in", () => {
    const id = codec.encode(SAMPLE);
    for (let at = 0; at < id.length; at += 1) {
      const [before, after] = [id.slice(0, at), id.slice(at + 1)];
      const other = id[at] === "A" ? "B" : "A";
      const altered = [
        `${before}${other}${after}`,
        `${before}${after}`,
        `${before}${id[at]}${id[at]}${after}`,
        `${before}.${id[at]}${after}`,
      ];
      for (const text of altered) {
        // Dropping one of two equal neighbours, or doubling one, may say the same at either place.
        if (text === id) continue;
        expect(outcome(text), text).to.equal(InvalidReservationIdError);
      }
    }
  });

  it("refuses every cut of an id, and what was put behind it", () => {
    const id = codec.encode(SAMPLE);
    for (let length = 0; length < id.length; length += 1) {
      expect(outcome(id.slice(0, length)), `${length}`).to.equal(InvalidReservationIdError);
    }
    for (const tail of ["A", "=", ".", "AAAA"]) {
      expect(outcome(id + tail), tail).to.equal(InvalidReservationIdError);
    }
  });

  it("refuses what another installation signed", () => {
    const other = createReservationIdCodec(Buffer.alloc(32, 2));
    expect(outcome(other.encode(SAMPLE))).to.equal(InvalidReservationIdError);
    expect(outcome(codec.encode(SAMPLE), other)).to.equal(InvalidReservationIdError);
  });

  it("refuses any other text", () => {
    fc.assert(
      fc.property(fc.base64String({ maxLength: 200 }), (text) => {
        expect(outcome(text)).to.equal(InvalidReservationIdError);
      }),
    );
  });
});

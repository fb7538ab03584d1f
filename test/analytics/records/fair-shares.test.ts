import { expect } from "chai";
import fc from "fast-check";
import { shareOut } from "../../../src/analytics/records/fair-shares.js";

describe("shareOut", () => {
  it("gives everything when there is room for it", () => {
    expect(shareOut([3, 1, 2], 6)).to.deep.equal([3, 1, 2]);
    expect(shareOut([3, 1, 2], 60)).to.deep.equal([3, 1, 2]);
    expect(shareOut([], 5)).to.deep.equal([]);
  });

  it("gives shares in proportion, and what is left to the largest fractions", () => {
    expect(shareOut([600, 300, 100], 10)).to.deep.equal([6, 3, 1]);
    expect(shareOut([5, 5, 5], 10)).to.deep.equal([4, 3, 3]);
    expect(shareOut([997, 1, 1, 1], 10)).to.deep.equal([7, 1, 1, 1]);
  });

  it("gives at least one, no more than there is, and all places", () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 1e6 })),
      {
        minLength: 1,
        maxLength: 40,
      },
    );
    const cases = sizes.chain((all) => {
      const total = all.reduce((a, b) => a + b);
      return fc.tuple(fc.constant(all), fc.integer({ min: all.length, max: total }));
    });
    fc.assert(
      fc.property(cases, ([all, places]) => {
        const shares = shareOut(all, places);
        expect(shares.reduce((a, b) => a + b)).to.equal(places);
        shares.forEach((share, index) => {
          expect(share).to.be.within(1, all[index] ?? 0);
        });
        // Beside those that got one for being small, nobody is more than one off its part.
        const large = all.map((size, index) => ({ size, share: shares[index] ?? 0 }));
        const others = large.filter(({ share }) => share > 1);
        for (const one of others) {
          for (const other of others) {
            const fair = (one.share * other.size) / one.size;
            expect(other.share).to.be.at.most(fair + other.size / one.size + 1);
          }
        }
      }),
    );
  });
});

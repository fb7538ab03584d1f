import type { ConditionalPrice, ModelInfo } from "@pydantic/genai-prices";
import { expect } from "chai";
import { layOutPeriods } from "../../src/pricing/genai-periods.js";

/** A price that is told from others by its number. */
const price = (input_mtok: number) => ({ input_mtok });

const from = (start_date: string, input_mtok: number): ConditionalPrice => ({
  constraint: { type: "start_date", start_date },
  prices: price(input_mtok),
});

const daily = (input_mtok: number): ConditionalPrice => ({
  constraint: { type: "time_of_date", start_time: "01:00:00Z", end_time: "04:00:00Z" },
  prices: price(input_mtok),
});

function layOut(prices: ModelInfo["prices"]) {
  const { periods, skipped } = layOutPeriods({ id: "m", match: { equals: "m" }, prices });
  return {
    periods: periods.map((p) => [p.effectiveFromMs, p.prices.input_mtok]),
    skipped: skipped.map((skip) => skip.reason),
  };
}

const MARCH = Date.UTC(2026, 2, 13);
const MAY = Date.UTC(2026, 4, 1);

describe("layOutPeriods", () => {
  it("takes an unconditional price from the beginning of time", () => {
    expect(layOut(price(1))).to.deep.equal({ periods: [[undefined, 1]], skipped: [] });
  });

  it("starts each period at midnight UTC of its start date", () => {
    const prices = [{ prices: price(1) }, from("2026-03-13", 2), from("2026-05-01", 3)];
    expect(layOut(prices)).to.deep.equal({
      periods: [
        [undefined, 1],
        [MARCH, 2],
        [MAY, 3],
      ],
      skipped: [],
    });
  });

  it("lets the first entry apply before its own start date, as the collection does", () => {
    const prices = [from("2026-03-13", 1), from("2026-05-01", 2)];
    expect(layOut(prices).periods).to.deep.equal([
      [undefined, 1],
      [MAY, 2],
    ]);
  });

  it("skips an entry that a later one with an earlier start always overrides", () => {
    const prices = [{ prices: price(1) }, from("2026-05-01", 2), from("2026-03-13", 3)];
    expect(layOut(prices)).to.deep.equal({
      periods: [
        [undefined, 1],
        [MARCH, 3],
      ],
      skipped: ["SUPERSEDED"],
    });
  });

  it("skips everything before an entry without condition", () => {
    const prices = [{ prices: price(1) }, from("2026-03-13", 2), { prices: price(3) }];
    expect(layOut(prices)).to.deep.equal({
      periods: [[undefined, 3]],
      skipped: ["SUPERSEDED", "SUPERSEDED"],
    });
  });

  it("skips prices for hours of the day and keeps the price for the rest of it", () => {
    const prices = [{ prices: price(1) }, from("2026-03-13", 2), daily(3), daily(4)];
    expect(layOut(prices)).to.deep.equal({
      periods: [
        [undefined, 1],
        [MARCH, 2],
      ],
      skipped: ["TIME_OF_DAY", "TIME_OF_DAY"],
    });
  });
});

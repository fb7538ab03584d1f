import { expect } from "chai";
import { drawHeatmap } from "../../src/cli/heatmap.js";

/** Days from a date on, each with an amount. */
function daysFrom(date: string, amounts: readonly number[]) {
  return amounts.map((amount, index) => ({
    date: new Date(Date.parse(date) + index * 86_400_000).toISOString().slice(0, 10),
    amount: BigInt(amount),
  }));
}

describe("drawHeatmap", () => {
  it("draws weeks from Monday, the more the darker, with the months above", () => {
    // A Wednesday.
    const amounts = [0, 1, 25, 26, 50, 51, 75, 76, 100, 0, 0, 0, 100];
    expect(drawHeatmap(daysFrom("2026-04-29", amounts), false).split("\n")).to.deep.equal([
      "     May",
      " Mon  *#",
      "      *",
      " Wed .#",
      "     -#",
      " Fri -.",
      "     +.",
      " Sun +.",
      "",
      "     less .-+*# more",
      "",
    ]);
  });

  it("draws a year in one piece of 53 weeks, and more below each other", () => {
    const year = drawHeatmap(daysFrom("2026-01-01", Array(365).fill(1)), false);
    expect(year.split("\n")[0]).to.match(/^ {5}Jan +Feb +Mar .* Dec$/);
    expect(year.split("\n")[1]).to.equal(` Mon  ${"#".repeat(52)}`);
    expect(year.match(/Mon/g)).to.have.length(1);
    const two = drawHeatmap(daysFrom("2026-01-01", Array(500).fill(1)), false);
    expect(two.match(/Mon/g)).to.have.length(2);
  });

  it("colours cells where there is colour", () => {
    const drawn = drawHeatmap(daysFrom("2026-05-04", [0, 4]), true);
    expect(drawn).to.include("\x1b[38;5;238m\u25a0\x1b[0m");
    expect(drawn).to.include("\x1b[38;5;40m\u25a0\x1b[0m");
  });

  it("draws nothing but the least where nothing was used, and amounts past 2^53", () => {
    expect(drawHeatmap(daysFrom("2026-05-04", [0, 0]), false)).to.include(" Mon .\n     .\n");
    const huge = [{ date: "2026-05-04", amount: 2n ** 62n }];
    expect(drawHeatmap(huge, false)).to.include(" Mon #\n");
  });
});

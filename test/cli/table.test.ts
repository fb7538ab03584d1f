import { expect } from "chai";
import { createStyle } from "../../src/cli/style.js";
import { renderTables } from "../../src/cli/table.js";

const PLAIN = createStyle({ isTTY: false }, undefined);
const TERMINAL = createStyle({ isTTY: true }, undefined);

describe("renderTables", () => {
  it("lines texts up on the left and figures on the right, with one width for all labels", () => {
    const text = renderTables(
      [
        {
          title: "Cost by model",
          columns: ["requests", "USD"],
          rows: [
            ["gpt-4o", "1,000", "$12.5"],
            ["a-model-with-a-long-name", "7", "$1,000.25"],
          ],
        },
        { title: "Requests", rows: [["lost", "0"]] },
      ],
      PLAIN,
    );
    expect(text.split("\n")).to.deep.equal([
      "Cost by model             requests        USD",
      "gpt-4o                       1,000      $12.5",
      "a-model-with-a-long-name         7  $1,000.25",
      "",
      "Requests",
      "lost                      0",
      "",
    ]);
  });

  it("leaves out tables without rows", () => {
    expect(renderTables([{ title: "Denied checks", rows: [] }], PLAIN)).to.equal("");
  });

  it("takes cells that are missing for empty ones", () => {
    const rows = [
      ["a", "1", "2"],
      ["b", "3"],
    ];
    expect(renderTables([{ title: "T", rows }], PLAIN)).to.equal("T\na  1  2\nb  3\n");
  });

  it("emphasises titles on a terminal", () => {
    const text = renderTables([{ title: "T", rows: [["a", "1"]] }], TERMINAL);
    expect(text).to.equal("\x1b[1mT\x1b[0m\na  1\n");
  });
});

describe("createStyle", () => {
  for (const [isTTY, noColor, isColored] of [
    [true, undefined, true],
    [true, "", true],
    [true, "1", false],
    [false, undefined, false],
    [undefined, undefined, false],
  ] as const) {
    it(`${isColored ? "colours" : "leaves"} text with isTTY=${isTTY} and NO_COLOR=${noColor}`, () => {
      const style = createStyle({ isTTY }, noColor);
      expect(style.good("ok")).to.equal(isColored ? "\x1b[32mok\x1b[0m" : "ok");
      expect(style.bad("no")).to.equal(isColored ? "\x1b[31mno\x1b[0m" : "no");
    });
  }
});

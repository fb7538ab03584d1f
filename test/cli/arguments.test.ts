import { expect } from "chai";
import { InvalidArgumentError } from "commander";
import {
  durationArgument,
  speedArgument,
  timeArgument,
  wholeNumberArgument,
} from "../../src/cli/arguments.js";

const READERS: readonly (readonly [
  name: string,
  read: (text: string) => number,
  accepted: readonly (readonly [text: string, value: number])[],
  refused: readonly string[],
])[] = [
  [
    "wholeNumberArgument(1, 64)",
    wholeNumberArgument(1, 64),
    [
      ["1", 1],
      ["64", 64],
      ["007", 7],
    ],
    ["0", "65", "-1", "1.5", "1e1", "", "x"],
  ],
  [
    "durationArgument",
    durationArgument,
    [
      ["500ms", 500],
      ["60s", 60_000],
      ["1.5m", 90_000],
      ["0s", 0],
    ],
    ["60", "s", "-1s", "1d", ""],
  ],
  [
    "speedArgument",
    speedArgument,
    [
      ["max", Number.POSITIVE_INFINITY],
      ["1", 1],
      ["60", 60],
      ["0.5", 0.5],
    ],
    ["0", "0.0", "-1", "fast", "", "Infinity"],
  ],
  [
    "timeArgument",
    timeArgument,
    [
      ["2026-01-05T09:00:00Z", 1_767_603_600_000],
      ["2026-01-05T09:00+01:00", 1_767_600_000_000],
      ["2026-01-05T09:00:00.250Z", 1_767_603_600_250],
    ],
    ["2026-01-05", "2026-01-05T09:00:00", "2026-13-05T09:00:00Z", "now", ""],
  ],
];

for (const [name, read, accepted, refused] of READERS) {
  describe(name, () => {
    for (const [text, value] of accepted) {
      it(`reads ${JSON.stringify(text)} as ${value}`, () => {
        expect(read(text)).to.equal(value);
      });
    }
    for (const text of refused) {
      it(`refuses ${JSON.stringify(text)}`, () => {
        expect(() => read(text)).to.throw(InvalidArgumentError, /^It must be /);
      });
    }
  });
}

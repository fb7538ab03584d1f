import { expect } from "chai";
import { parseMooncakeRow, readMooncakeTrace } from "../../src/traffic/mooncake.js";
import { TraceError } from "../../src/traffic/trace-error.js";
import { collect, rejection, withFile } from "./temp-file.js";

const VALID = { timestamp: 3_000, input_length: 1_100, output_length: 50, hash_ids: [0, 7, 8] };

describe("parseMooncakeRow", () => {
  const position = { file: "trace.jsonl", line: 17 };

  it("reads a row", () => {
    expect(parseMooncakeRow(JSON.stringify(VALID), position)).to.deep.equal({
      line: 17,
      offsetMs: 3_000,
      promptTokens: 1_100,
      outputTokens: 50,
      blockIds: [0, 7, 8],
      conversation: 7,
    });
  });

  for (const [blockIds, conversation] of [
    [[0, 7, 8], 7],
    [[5], 5],
    [[], 0],
  ] as const) {
    it(`takes ${conversation} for the conversation of blocks ${JSON.stringify(blockIds)}`, () => {
      const text = JSON.stringify({ ...VALID, hash_ids: blockIds });
      expect(parseMooncakeRow(text, position).conversation).to.equal(conversation);
    });
  }

  const REFUSED: readonly (readonly [text: string, problem: string])[] = [
    ["{", "the line is not valid JSON"],
    ["[1]", "the line is no JSON object"],
    ["null", "the line is no JSON object"],
    [row({ timestamp: -1 }), "timestamp: must be a number of 0 or more (was -1)"],
    [row({ timestamp: "3000" }), 'timestamp: must be a number of 0 or more (was "3000")'],
    [
      row({ input_length: undefined }),
      "input_length: must be a whole number from 0 to 1099511627776 (was unset)",
    ],
    [
      row({ input_length: 1.5 }),
      "input_length: must be a whole number from 0 to 1099511627776 (was 1.5)",
    ],
    [
      row({ output_length: -3 }),
      "output_length: must be a whole number from 0 to 1099511627776 (was -3)",
    ],
    [
      row({ output_length: 2 ** 40 + 1 }),
      "output_length: must be a whole number from 0 to 1099511627776 (was 1099511627777)",
    ],
    [row({ hash_ids: 5 }), "hash_ids: must be a list of block ids (was 5)"],
    [
      row({ hash_ids: [0, 1, "x"] }),
      'hash_ids[2]: must be a whole number from 0 to 9007199254740991 (was "x")',
    ],
    [
      row({ hash_ids: [-1] }),
      "hash_ids[0]: must be a whole number from 0 to 9007199254740991 (was -1)",
    ],
  ];
  for (const [text, problem] of REFUSED) {
    it(`refuses ${text}`, () => {
      expect(() => parseMooncakeRow(text, position)).to.throw(
        TraceError,
        `trace.jsonl:17: ${problem}`,
      );
    });
  }

  function row(fields: Record<string, unknown>): string {
    return JSON.stringify({ ...VALID, ...fields });
  }
});

describe("readMooncakeTrace", () => {
  it("stops at the first bad line and names it, blank lines counted", async () => {
    const content = `${JSON.stringify(VALID)}\n\n${JSON.stringify({ ...VALID, hash_ids: null })}\n`;
    await withFile(content, async (file) => {
      const error = await rejection(collect(readMooncakeTrace(file)));
      expect(error.message).to.equal(
        `${file}:3: hash_ids: must be a list of block ids (was unset)`,
      );
    });
  });
});

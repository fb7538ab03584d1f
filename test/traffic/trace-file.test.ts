import { expect } from "chai";
import fc from "fast-check";
import { detectFormat, openTrace } from "../../src/traffic/trace-file.js";
import { collect, rejection, withFile } from "./temp-file.js";

interface Row {
  readonly timestamp: number;
  readonly input_length: number;
  readonly output_length: number;
  readonly hash_ids: readonly number[];
}

/** Four requests of two conversations that share their first block. */
const ROWS: readonly Row[] = [
  { timestamp: 0, input_length: 1_300, output_length: 10, hash_ids: [0, 201, 2] },
  { timestamp: 5, input_length: 1_024, output_length: 20, hash_ids: [0, 303] },
  { timestamp: 3_000, input_length: 2_000, output_length: 30, hash_ids: [0, 201, 4, 5] },
  { timestamp: 6_000, input_length: 2_000, output_length: 40, hash_ids: [0, 201, 4, 5] },
];

function toLines(rows: readonly Row[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

async function plan(content: string) {
  return withFile(content, async (file) => collect((await openTrace(file)).requests()));
}

describe("openTrace", () => {
  it("splits prompts by what the trace sent before", async () => {
    const requests = await plan(toLines(ROWS));
    const tokens = requests.map((request) => [
      request.cacheReadInputTokens,
      request.cacheCreationInputTokens,
      request.inputTokens,
      request.outputTokens,
    ]);
    expect(tokens).to.deep.equal([
      [0, 1_024, 276, 10],
      [512, 512, 0, 20],
      [1_024, 512, 464, 30],
      [2_000, 0, 0, 40],
    ]);
  });

  it("draws user and key from the second block, and one model for a conversation", async () => {
    const [first, second, third, fourth] = await plan(toLines(ROWS));
    expect([first?.userId, first?.apiKeyId]).to.deep.equal(["user-1", "key-1"]);
    expect([second?.userId, second?.apiKeyId]).to.deep.equal(["user-103", "key-103"]);
    expect(third?.model).to.equal(first?.model);
    expect(fourth?.model).to.equal(first?.model);
  });

  it("makes the same requests every time, with ids of the file's content and line", async () => {
    const [once, again] = [await plan(toLines(ROWS)), await plan(toLines(ROWS))];
    expect(again).to.deep.equal(once);
    expect(once.map(({ requestId }) => requestId.replace(/[0-9a-f]{12}/, "HASH"))).to.deep.equal([
      "mooncake-HASH-1",
      "mooncake-HASH-2",
      "mooncake-HASH-3",
      "mooncake-HASH-4",
    ]);
    const [other] = await plan(toLines(ROWS.slice(1)));
    expect(other?.requestId).not.to.equal(once[0]?.requestId);
  });

  it("agrees with an independent count of cached tokens, for any trace", async () => {
    const rows = fc.array(
      fc.record({
        timestamp: fc.nat(),
        input_length: fc.nat({ max: 4_000 }),
        output_length: fc.nat({ max: 100 }),
        hash_ids: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 8 }),
      }),
      { minLength: 1, maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(rows, async (trace) => {
        const requests = await plan(toLines(trace));
        trace.forEach((row, index) => {
          const earlier = new Set(trace.slice(0, index).flatMap(({ hash_ids }) => hash_ids));
          let leading = 0;
          while (leading < row.hash_ids.length && earlier.has(row.hash_ids[leading]!)) leading += 1;
          const read = Math.min(512 * leading, row.input_length);
          const others = Math.max(0, Math.floor(row.input_length / 512) - leading);
          expect(requests[index]).to.deep.include({
            cacheReadInputTokens: read,
            cacheCreationInputTokens: 512 * others,
            inputTokens: row.input_length - read - 512 * others,
          });
        });
      }),
      { numRuns: 50 },
    );
  });

  it("counts an Azure prompt as plain input", async () => {
    const content = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,2000,44\n";
    const [request] = await plan(content);
    expect(request).to.deep.include({
      inputTokens: 2_000,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 0,
      outputTokens: 44,
      userId: "user-2",
    });
    expect(request?.requestId).to.match(/^azure-[0-9a-f]{12}-2$/);
  });

  it("refuses a file of neither format", async () => {
    await withFile("hello\n", async (file) => {
      const { message } = await rejection(openTrace(file));
      expect(message).to.match(/:1: neither a Mooncake trace \(JSON lines\) nor an Azure one/);
    });
  });

  it("names a file that is not there", async () => {
    const { message } = await rejection(openTrace("/nowhere/trace.jsonl"));
    expect(message).to.include("ENOENT").and.to.include("/nowhere/trace.jsonl");
  });
});

describe("detectFormat", () => {
  for (const [head, format] of [
    ['{"timestamp": 0}\n', "mooncake"],
    ['\n\ufeff{"timestamp": 0}', "mooncake"],
    ["TIMESTAMP,ContextTokens,GeneratedTokens\n", "azure"],
    ["time,ContextTokens\n", "azure"],
    ["", undefined],
    ["[{}]", undefined],
  ] as const) {
    it(`takes ${JSON.stringify(head)} for ${format ?? "neither"}`, () => {
      expect(detectFormat(head)).to.equal(format);
    });
  }
});

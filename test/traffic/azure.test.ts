import { expect } from "chai";
import { createAzureParser, readAzureTrace } from "../../src/traffic/azure.js";
import { TraceError } from "../../src/traffic/trace-error.js";
import { collect, withFile } from "./temp-file.js";

const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";

describe("readAzureTrace", () => {
  it("reads rows, with times counted from the first", async () => {
    const content = [
      HEADER,
      "2023-11-16 18:17:03.9799600,374,44",
      "2023-11-16 18:17:04.0319609,396,109",
      "2023-11-17 18:17:04,7,0",
    ].join("\r\n");
    const rows = await withFile(content, (file) => collect(readAzureTrace(file)));
    expect(rows).to.deep.equal([
      { line: 2, offsetMs: 0, promptTokens: 374, outputTokens: 44, conversation: 2 },
      { line: 3, offsetMs: 52, promptTokens: 396, outputTokens: 109, conversation: 3 },
      { line: 4, offsetMs: 86_400_021, promptTokens: 7, outputTokens: 0, conversation: 4 },
    ]);
  });

  it("finds columns by name, with times as the traces of 2024 write them", async () => {
    const content =
      "GeneratedTokens,TIMESTAMP,ContextTokens\n" +
      "9,2024-05-10 00:00:00.009930+00:00,100\n" +
      "8,2024-05-10T00:00:01Z,200\n";
    const rows = await withFile(content, (file) => collect(readAzureTrace(file)));
    expect(
      rows.map(({ offsetMs, promptTokens, outputTokens }) => [
        offsetMs,
        promptTokens,
        outputTokens,
      ]),
    ).to.deep.equal([
      [0, 100, 9],
      [991, 200, 8],
    ]);
  });
});

describe("createAzureParser", () => {
  const position = { file: "azure.csv", line: 9 };

  it("names every column that the header lacks", () => {
    expect(() => createAzureParser("TIMESTAMP,Tokens", { file: "azure.csv", line: 1 })).to.throw(
      TraceError,
      "azure.csv:1: the header lacks ContextTokens and GeneratedTokens",
    );
  });

  const REFUSED: readonly (readonly [text: string, problem: string])[] = [
    [
      "yesterday,1,1",
      'TIMESTAMP: must be a time such as 2023-11-16 18:17:03.979 (was "yesterday")',
    ],
    [
      "2023-13-16 18:17:03,1,1",
      'TIMESTAMP: must be a time such as 2023-11-16 18:17:03.979 (was "2023-13-16 18:17:03")',
    ],
    ["2023-11-16 18:17:03+01:00,1,1", "TIMESTAMP: must be a time"],
    [
      "2023-11-16 18:17:03,-1,1",
      'ContextTokens: must be a whole number from 0 to 1099511627776 (was "-1")',
    ],
    [
      "2023-11-16 18:17:03,1,1.5",
      'GeneratedTokens: must be a whole number from 0 to 1099511627776 (was "1.5")',
    ],
    [
      "2023-11-16 18:17:03,1,1099511627777",
      'GeneratedTokens: must be a whole number from 0 to 1099511627776 (was "1099511627777")',
    ],
    [
      "2023-11-16 18:17:03,1",
      "GeneratedTokens: must be a whole number from 0 to 1099511627776 (was unset)",
    ],
  ];
  for (const [text, problem] of REFUSED) {
    it(`refuses ${text}`, () => {
      const parse = createAzureParser(HEADER, { file: "azure.csv", line: 1 });
      expect(() => parse(text, position)).to.throw(TraceError, `azure.csv:9: ${problem}`);
    });
  }
});

import { expect } from "chai";
import fc from "fast-check";
import { TraceError } from "../../src/traffic/trace-error.js";
import { readTraceLines } from "../../src/traffic/trace-lines.js";
import { collect, rejection, withFile } from "./temp-file.js";

describe("readTraceLines", () => {
  it("numbers lines from 1 and leaves blank ones out", async () => {
    await withFile("one\n\n  \r\nfour\r\nfive", async (file) => {
      expect(await collect(readTraceLines(file))).to.deep.equal([
        { line: 1, text: "one" },
        { line: 4, text: "four" },
        { line: 5, text: "five" },
      ]);
    });
  });

  it("reads nothing from an empty file", async () => {
    expect(await withFile("", (file) => collect(readTraceLines(file)))).to.deep.equal([]);
  });

  it("drops a byte order mark", async () => {
    const [first] = await withFile("\ufeffTIMESTAMP", (file) => collect(readTraceLines(file)));
    expect(first).to.deep.equal({ line: 1, text: "TIMESTAMP" });
  });

  it("puts lines together that lie across chunks, whatever their lengths", async () => {
    const lines = fc.array(fc.integer({ min: 1, max: 90_000 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(lines, async (lengths) => {
        const texts = lengths.map((length, index) => "äb€"[index % 3]!.repeat(length));
        const read = await withFile(texts.join("\n"), (file) => collect(readTraceLines(file)));
        expect(read.map(({ text }) => text)).to.deep.equal(texts);
      }),
      { numRuns: 25 },
    );
  });

  for (const [where, content] of [
    ["in the middle", `ok\n${"x".repeat(101)}\nok`],
    ["at the end", `ok\n${"x".repeat(101)}`],
    ["across many chunks", `ok\n${"x".repeat(1_000_000)}`],
  ] as const) {
    it(`refuses a line that is too long ${where}, with its place`, async () => {
      await withFile(content, async (file) => {
        const error = await rejection(collect(readTraceLines(file, { maxLineBytes: 100 })));
        expect(error).to.be.instanceOf(TraceError);
        expect(error.message).to.equal(`${file}:2: the line is longer than 100 bytes`);
      });
    });
  }

  it("takes a line of exactly the limit", async () => {
    const text = "x".repeat(100);
    const read = (file: string) => collect(readTraceLines(file, { maxLineBytes: 100 }));
    expect(await withFile(`${text}\n${text}`, read)).to.have.length(2);
  });

  it("refuses what is not UTF-8, with its place", async () => {
    await withFile(Buffer.from([0x61, 0x0a, 0xff, 0xfe]), async (file) => {
      const error = await rejection(collect(readTraceLines(file)));
      expect(error.message).to.equal(`${file}:2: the line is not valid UTF-8`);
    });
  });
});

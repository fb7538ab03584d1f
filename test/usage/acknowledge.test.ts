import { expect } from "chai";
import { DatabaseUnavailableError } from "../../src/database/errors.js";
import {
  cancelled,
  DomainError,
  deadlineExceeded,
  invalidField,
  shuttingDown,
} from "../../src/errors.js";
import { acknowledge, type StreamItem } from "../../src/usage/acknowledge.js";

const LIMITS = { items: () => 10, bytes: () => 1_000, admission: () => undefined };
const BAD = invalidField("request.usage.model", "", "is required");

type Item = StreamItem<string>;

function item(sequence: number, request = `r${sequence}`, error?: DomainError): Item {
  return { sequence: BigInt(sequence), request, sizeBytes: 1, error };
}

async function* given(items: readonly Item[]) {
  yield* items;
}

/** What became of each item: its answer or the reason of its error; and how the stream ended. */
async function run(items: readonly Item[], record = async (request: string) => request) {
  const seen: (readonly [bigint, unknown])[] = [];
  try {
    for await (const end of acknowledge(given(items), record, LIMITS)) {
      seen.push([end.sequence, "answer" in end ? end.answer : end.error]);
    }
  } catch (streamError) {
    return { seen, streamError };
  }
  return { seen };
}

describe("acknowledge", () => {
  it("answers each item with its sequence, gaps or not", async () => {
    expect(await run([item(1), item(2), item(40)])).to.deep.equal({
      seen: [
        [1n, "r1"],
        [2n, "r2"],
        [40n, "r40"],
      ],
    });
  });

  it("tells the error of a bad item and of one that is refused, and goes on", async () => {
    const refused = new DomainError("USAGE_RECORD_CONFLICT", "another content");
    const recorded: string[] = [];
    const { seen, streamError } = await run(
      [item(1, "bad", BAD), item(2, "refused"), item(3, "defect"), item(4)],
      async (request) => {
        recorded.push(request);
        if (request === "refused") throw refused;
        if (request === "defect") throw new TypeError("undefined is not a function");
        return request;
      },
    );
    expect(seen.map(([sequence]) => sequence)).to.deep.equal([1n, 2n, 3n, 4n]);
    expect(seen[0]?.[1]).to.equal(BAD);
    expect(seen[1]?.[1]).to.equal(refused);
    expect(seen[2]?.[1]).to.be.instanceOf(TypeError);
    expect(seen[3]?.[1]).to.equal("r4");
    expect(recorded).to.deep.equal(["refused", "defect", "r4"]);
    expect(streamError).to.equal(undefined);
  });

  for (const passing of [
    new DatabaseUnavailableError("away"),
    new DomainError("OVERLOADED", "full"),
    shuttingDown(),
    deadlineExceeded(),
    cancelled(),
  ]) {
    it(`ends before an item that was not recorded for ${passing.message}`, async () => {
      const { seen, streamError } = await run(
        [item(1), item(2, "unlucky"), item(3)],
        async (request) => {
          if (request === "unlucky") throw passing;
          return request;
        },
      );
      expect(seen).to.deep.equal([[1n, "r1"]]);
      expect(streamError).to.equal(passing);
    });
  }

  for (const [what, items, rule] of [
    ["repeats", [item(1), item(1)], "1 (was 1)"],
    ["falls", [item(1), item(7), item(6)], "7 (was 6)"],
    ["is 0", [item(1), item(0)], "1 (was 0)"],
  ] as const) {
    it(`ends when a sequence ${what}, and records nothing more`, async () => {
      const recorded: string[] = [];
      const { seen, streamError } = await run([...items, item(9)], async (request) => {
        recorded.push(request);
        return request;
      });
      expect(seen).to.have.length(items.length - 1);
      expect(recorded).to.have.length(items.length - 1);
      expect((streamError as DomainError).violations).to.deep.equal([
        {
          field: "sequence",
          description: `must be greater than the one before it on the stream, ${rule}`,
        },
      ]);
    });
  }

  it("ends with the error of an item that says nothing of its sequence", async () => {
    const { seen, streamError } = await run([item(1), item(0, "", BAD)]);
    expect(seen).to.deep.equal([[1n, "r1"]]);
    expect(streamError).to.equal(BAD);
  });
});

import type { MatchLogic } from "@pydantic/genai-prices";
import { expect } from "chai";
import { literalNames, makerOf, matchesName } from "../../src/pricing/genai-match.js";

describe("matchesName", () => {
  const cases: [clause: MatchLogic, name: string, matches: boolean][] = [
    [{ equals: "GPT-4o" }, "gpt-4O", true],
    [{ equals: "gpt-4o" }, "gpt-4o-mini", false],
    [{ starts_with: "Claude-" }, "claude-2", true],
    [{ starts_with: "claude-" }, "my-claude-2", false],
    [{ ends_with: ":FREE" }, "x:free", true],
    [{ ends_with: ":free" }, "x:free:y", false],
    [{ contains: "Grok" }, "x-ai/grok-4", true],
    [{ contains: "grok" }, "groq", false],
    [{ regex: "^o[134]" }, "O3-mini", true],
    [{ regex: "^o[134]" }, "o2", false],
    [{ or: [{ equals: "a" }, { equals: "b" }] }, "b", true],
    [{ or: [{ equals: "a" }, { equals: "b" }] }, "c", false],
    [{ and: [{ starts_with: "a" }, { ends_with: "z" }] }, "a-z", true],
    [{ and: [{ starts_with: "a" }, { ends_with: "z" }] }, "a-y", false],
  ];
  for (const [clause, name, matches] of cases) {
    it(`${matches ? "takes" : "refuses"} ${name} by ${JSON.stringify(clause)}`, () => {
      expect(matchesName(clause, name)).to.equal(matches);
    });
  }
});

describe("literalNames", () => {
  it("finds what a name equals or begins with, but not its other parts", () => {
    const clause: MatchLogic = {
      or: [
        { equals: "a" },
        { starts_with: "b" },
        { contains: "c" },
        { ends_with: "d" },
        { regex: "e" },
        { or: [{ equals: "f" }] },
        { and: [{ starts_with: "g" }, { ends_with: "h" }] },
      ],
    };
    expect(literalNames(clause)).to.deep.equal(["a", "b", "f"]);
  });
});

describe("makerOf", () => {
  const provider = (id: string, model_match?: MatchLogic) => ({
    id,
    name: id,
    api_pattern: "",
    models: [],
    ...(model_match !== undefined && { model_match }),
  });
  const providers = [
    provider("reseller"),
    provider("first", { contains: "x" }),
    provider("second", { starts_with: "xy" }),
  ];

  it("is the first provider whose clause takes the name", () => {
    expect(makerOf(providers, "xyz")?.id).to.equal("first");
  });

  it("is nobody for a name that no clause takes", () => {
    expect(makerOf(providers, "abc")).to.equal(undefined);
  });
});

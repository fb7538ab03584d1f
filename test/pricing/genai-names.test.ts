import type { MatchLogic, Provider } from "@pydantic/genai-prices";
import { expect } from "chai";
import { modelsByName } from "../../src/pricing/genai-names.js";

function providerOf(models: readonly [id: string, match: MatchLogic][]): Provider {
  return {
    id: "p",
    name: "P",
    api_pattern: "",
    models: models.map(([id, match]) => ({ id, match, prices: {} })),
  };
}

function idsByName(provider: Provider, wanted: readonly string[] = []) {
  const entries = [...modelsByName(provider, wanted)];
  return Object.fromEntries(entries.map(([name, model]) => [name, model.id]));
}

describe("modelsByName", () => {
  it("names a model by its id and by what its clause spells out", () => {
    const provider = providerOf([
      ["big-latest", { or: [{ equals: "big" }, { starts_with: "big-2" }, { contains: "huge" }] }],
    ]);
    expect(idsByName(provider)).to.deep.equal({
      "big-latest": "big-latest",
      big: "big-latest",
      "big-2": "big-latest",
    });
  });

  it("leaves out beginnings that are no whole name", () => {
    const provider = providerOf([["a", { or: [{ starts_with: "a-" }, { starts_with: "a@" }] }]]);
    expect(idsByName(provider)).to.deep.equal({ a: "a" });
  });

  it("gives a name to the first model whose clause takes it", () => {
    const provider = providerOf([
      ["small", { starts_with: "x" }],
      ["large", { equals: "x-large" }],
    ]);
    expect(idsByName(provider)).to.deep.equal({
      small: "small",
      large: "large",
      x: "small",
      "x-large": "small",
    });
  });

  it("leaves an id with its own model though another's clause takes it", () => {
    const provider = providerOf([
      ["x", { or: [{ starts_with: "x" }, { equals: "x-large" }] }],
      ["x-large", { equals: "x-large" }],
    ]);
    expect(idsByName(provider)).to.deep.equal({ x: "x", "x-large": "x-large" });
  });

  it("adds wanted names that a pattern takes", () => {
    const provider = providerOf([["x", { starts_with: "x" }]]);
    expect(idsByName(provider, ["x-2099", "y"])).to.deep.equal({ x: "x", "x-2099": "x" });
  });
});

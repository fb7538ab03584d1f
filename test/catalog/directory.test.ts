import { expect } from "chai";
import { createCatalogDirectory } from "../../src/catalog/directory.js";
import { resolveSettings } from "../../src/catalog/settings.js";
import { apiKey, budget, model, provider, providerEndpoint, providerKey, user } from "./entries.js";

describe("CatalogDirectory", () => {
  it("finds entries of every collection by id, and nothing else", () => {
    const directory = createCatalogDirectory();
    const entries = {
      users: user("u"),
      apiKeys: apiKey("k"),
      providers: provider("p"),
      providerEndpoints: providerEndpoint("e"),
      providerKeys: providerKey("pk"),
      models: model("m"),
      budgets: budget("b"),
    };
    directory.upsert("users", [entries.users]);
    directory.upsert("apiKeys", [entries.apiKeys]);
    directory.upsert("providers", [entries.providers]);
    directory.upsert("providerEndpoints", [entries.providerEndpoints]);
    directory.upsert("providerKeys", [entries.providerKeys]);
    directory.upsert("models", [entries.models]);
    directory.upsert("budgets", [entries.budgets]);
    expect(directory.user("u")).to.equal(entries.users);
    expect(directory.apiKey("k")).to.equal(entries.apiKeys);
    expect(directory.provider("p")).to.equal(entries.providers);
    expect(directory.providerEndpoint("e")).to.equal(entries.providerEndpoints);
    expect(directory.providerKey("pk")).to.equal(entries.providerKeys);
    expect(directory.model("m")).to.equal(entries.models);
    expect(directory.budget("b")).to.equal(entries.budgets);
    for (const id of ["", "k", "constructor"]) expect(directory.user(id)).to.equal(undefined);
  });

  it("replaces a whole collection and tells what is gone", () => {
    const directory = createCatalogDirectory();
    directory.upsert("users", [user("a"), user("b"), user("c")]);
    const renamed = user("b", { username: "Bea" });
    const gone = directory.replace("users", [renamed, user("d")]);
    expect(gone).to.have.members(["a", "c"]);
    expect(directory.user("a")).to.equal(undefined);
    expect(directory.user("b")).to.equal(renamed);
    expect(directory.user("d")).to.deep.equal(user("d"));
  });

  it("replaces only the entries that a new content is of", () => {
    const directory = createCatalogDirectory();
    directory.upsert("users", [user("a"), user("b"), user("c")]);
    const gone = directory.replace("users", [user("b", { active: false })], new Set(["a", "b"]));
    expect(gone).to.deep.equal(["a"]);
    expect(directory.user("b")?.active).to.equal(false);
    expect(directory.user("c")).to.deep.equal(user("c"));
  });

  describe("budgetsOf", () => {
    const b1 = budget("b1", { scope: "USER", subject: "u" });
    const b2 = budget("b2", { scope: "USER", subject: "u" });
    const b10 = budget("b10", { scope: "USER", subject: "u" });

    it("lists active budgets on one subject, sorted by id", () => {
      const directory = createCatalogDirectory();
      directory.upsert("budgets", [
        b2,
        budget("other scope", { scope: "API_KEY", subject: "u" }),
        b10,
        budget("other subject", { scope: "USER", subject: "v" }),
        budget("off", { scope: "USER", subject: "u", active: false }),
        b1,
      ]);
      expect(directory.budgetsOf("USER", "u")).to.deep.equal([b1, b10, b2]);
    });

    it("is empty and frozen where there is none", () => {
      const none = createCatalogDirectory().budgetsOf("TAG", "team=a");
      expect(none).to.deep.equal([]);
      expect(none).to.equal(createCatalogDirectory().budgetsOf("GLOBAL", ""));
      expect(Object.isFrozen(none)).to.equal(true);
    });

    it("answers the same frozen list until a budget of it changes", () => {
      const directory = createCatalogDirectory();
      directory.upsert("budgets", [b1, b2]);
      const before = directory.budgetsOf("USER", "u");
      expect(Object.isFrozen(before)).to.equal(true);
      directory.upsert("budgets", [budget("else", { scope: "USER", subject: "v" })]);
      expect(directory.budgetsOf("USER", "u")).to.equal(before);
      directory.upsert("budgets", [b10]);
      expect(directory.budgetsOf("USER", "u")).to.deep.equal([b1, b10, b2]);
      expect(before).to.deep.equal([b1, b2]);
    });

    it("follows a budget that is switched off, on, moved and removed", () => {
      const directory = createCatalogDirectory();
      const ids = (subject: string) =>
        directory.budgetsOf("USER", subject).map(({ budgetId }) => budgetId);
      directory.upsert("budgets", [b1, b2]);
      directory.upsert("budgets", [{ ...b1, active: false }]);
      expect(ids("u")).to.deep.equal(["b2"]);
      expect(directory.budget("b1")?.active).to.equal(false);
      directory.upsert("budgets", [b1]);
      expect(ids("u")).to.deep.equal(["b1", "b2"]);
      directory.upsert("budgets", [{ ...b1, subject: "v" }]);
      expect([ids("u"), ids("v")]).to.deep.equal([["b2"], ["b1"]]);
      directory.remove("budgets", ["b1", "unknown"]);
      expect([ids("u"), ids("v")]).to.deep.equal([["b2"], []]);
      directory.replace("budgets", []);
      expect(ids("u")).to.deep.equal([]);
    });
  });

  it("has the default settings until others are given", () => {
    const directory = createCatalogDirectory();
    expect(directory.settings.requestLogLevel).to.equal("BASIC");
    expect(directory.settings.maxRequestBodySize).to.equal(1_048_576);
    expect([...directory.settings.sensitiveHeaders]).to.include.members([
      "authorization",
      "cookie",
    ]);
    directory.replaceSettings(
      resolveSettings({ requestLogLevel: "FULL", sensitiveHeaders: ["x-team"] }, "secret"),
    );
    expect(directory.settings.requestLogLevel).to.equal("FULL");
    expect(directory.settings.unpricedModelPolicy).to.equal("DENY");
    expect(directory.settings.reservationKey).to.equal("secret");
    expect([...directory.settings.sensitiveHeaders]).to.include.members(["x-team", "x-api-key"]);
  });
});

import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { schemaText } from "../../scripts/schema-text.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

describe("docs/schema.sql", () => {
  let test: TestDatabase;
  let text: string;

  before(async () => {
    test = await createTestDatabase();
    text = await schemaText(test.database);
  });

  after(() => test.drop());

  it("is what scripts/dump-schema.ts writes", async () => {
    const path = new URL("../../docs/schema.sql", import.meta.url);
    expect(await readFile(path, "utf8")).to.equal(text);
  });

  it("leaves nothing out: what it makes on an empty database dumps alike", async () => {
    const { knex } = test.database;
    await knex.raw("drop schema public, tally_purged cascade; create schema public");
    await knex.raw(text.replaceAll("?", "\\?"));
    expect(await schemaText(test.database)).to.equal(text);
  });

  it("refuses a schema with objects that it would leave out", async () => {
    const { knex } = test.database;
    await knex.raw("create materialized view known_models as select model from models");
    const error = await schemaText(test.database).catch((caught: Error) => caught);
    expect(error).to.be.instanceOf(Error);
    expect((error as Error).message).to.include("relation known_models of kind m");
  });
});

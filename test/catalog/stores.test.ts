import { expect } from "chai";
import {
  lockEntries,
  readEntries,
  readTable,
  upsertEntries,
} from "../../src/catalog/catalog-store.js";
import { readPricesOfModels, writePrices } from "../../src/catalog/price-store.js";
import { userTable } from "../../src/catalog/user-table.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { flatPrice, price, user } from "./entries.js";

describe("catalog stores", () => {
  let test: TestDatabase;

  beforeEach(async () => {
    test = await createTestDatabase();
  });
  afterEach(() => test.drop());

  it("insert new entries and update changed ones in one statement", async () => {
    const { knex } = test.database;
    const queries: string[] = [];
    await upsertEntries(knex, userTable, [user("a"), user("b")]);
    knex.on("query", ({ sql }: { sql: string }) => queries.push(sql));
    await upsertEntries(knex, userTable, [user("b", { email: "b" }), user("c")]);
    expect(queries).to.have.length(1);
    const { entries } = await readTable(knex, userTable);
    expect(entries).to.deep.equal([user("a"), user("b", { email: "b" }), user("c")]);
  });

  it("leave a row alone that is already as it should be", async () => {
    const { knex } = test.database;
    const rowVersions = async () => {
      const { rows } = await knex.raw("select user_id, xmin::text from users order by user_id");
      return rows.map(({ xmin }: { xmin: string }) => xmin);
    };
    await upsertEntries(knex, userTable, [user("a"), user("b")]);
    const before = await rowVersions();
    await upsertEntries(knex, userTable, [user("a"), user("b", { email: "b" })]);
    const after = await rowVersions();
    expect(after[0]).to.equal(before[0]);
    expect(after[1]).to.not.equal(before[1]);
  });

  it("read the entries that are asked for, sorted by the bytes of their ids", async () => {
    const { knex } = test.database;
    const ids = ["Z", "a", "é", "\u{1f600}", "\uffee"];
    await upsertEntries(knex, userTable, [...ids, "other"].map((id) => user(id)).reverse());
    const { entries } = await readEntries(knex, userTable, [...ids, "unknown"].reverse());
    const byBytes = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(entries.map(({ userId }) => userId)).to.deep.equal(byBytes);
  });

  it("keep locked entries from others until the transaction ends", async () => {
    const { database } = test;
    await upsertEntries(database.knex, userTable, [user("a"), user("b")]);
    await database.transaction(async (trx) => {
      await lockEntries(trx, userTable, ["a"]);
      const { rows } = await database.knex.raw(
        "select user_id from users order by user_id for update skip locked",
      );
      expect(rows).to.deep.equal([{ user_id: "b" }]);
    });
  });

  it("write prices without a new version for those that stay the same", async () => {
    const { database } = test;
    const write = (input: bigint) =>
      database.transaction((trx) =>
        writePrices(trx, [price("m", { price: flatPrice(input) }), price("m", { provider: "p" })]),
      );
    const versions = async () => {
      const { entries } = await readPricesOfModels(database.knex, ["m"]);
      return entries.map(({ provider, version }) => [provider, version]);
    };
    await write(1n);
    const [[, global], [, own]] = (await versions()) as [[string, bigint], [string, bigint]];
    await write(1n);
    expect(await versions()).to.deep.equal([
      ["", global],
      ["p", own],
    ]);
    await write(2n);
    const [[, changed], [, same]] = (await versions()) as [[string, bigint], [string, bigint]];
    expect(changed > global).to.equal(true);
    expect(same).to.equal(own);
    const { rows } = await database.knex.raw("select count(*)::int as count from price_versions");
    expect(rows[0].count).to.equal(3);
  });
});

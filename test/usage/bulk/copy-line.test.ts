import { expect } from "chai";
import fc from "fast-check";
import type { Client } from "pg";
import { copyInto } from "../../../src/database/copy.js";
import { toCopyLine } from "../../../src/usage/bulk/copy-line.js";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.js";

/** Texts that PostgreSQL takes: without NUL and lone surrogates. */
const texts = fc.oneof(
  fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\0", "")),
  fc.constantFrom("", "\\N", "\\.", "a\tb", "a\nb\r\n", "\\", '"{},', "null"),
);

describe("rows for COPY", () => {
  let test: TestDatabase;
  let client: Client;

  before(async () => {
    test = await createTestDatabase();
    client = await test.database.knex.client.acquireConnection();
    await client.query(`create table copied (
      number bigint, text text, flag boolean, list text[], content jsonb, nothing text)`);
  });
  after(async () => {
    await test.database.knex.client.releaseConnection(client);
    await test.drop();
  });

  it("arrive as they were", async () => {
    const rows = fc.array(
      fc.tuple(fc.bigInt(0n, 2n ** 62n), texts, fc.boolean(), fc.array(texts), texts),
      { minLength: 1 },
    );
    await fc.assert(
      fc.asyncProperty(rows, async (values) => {
        const lines = values.map(([number, text, flag, list, content]) =>
          toCopyLine([number, text, flag, list, { content }, undefined]),
        );
        await client.query("truncate copied");
        await copyInto(client, "copy copied from stdin", Buffer.from(lines.join("")));
        const { rows: copied } = await client.query("select * from copied");
        expect(copied.map((row) => Object.values(row))).to.deep.equal(
          values.map(([number, text, flag, list, content]) => [
            number,
            text,
            flag,
            list,
            { content },
            null,
          ]),
        );
      }),
      { numRuns: 30 },
    );
  });

  it("that are wrong fail the copy and leave the connection usable", async () => {
    const error = await copyInto(client, "copy copied from stdin", Buffer.from("x\n")).catch(
      (thrown) => thrown,
    );
    expect(error).to.include({ code: "22P02" });
    const missing = await copyInto(client, "copy nowhere from stdin", Buffer.from("x\n")).catch(
      (thrown) => thrown,
    );
    expect(missing).to.include({ code: "42P01" });
    expect((await client.query("select 1 as one")).rows).to.deep.equal([{ one: 1 }]);
  });
});

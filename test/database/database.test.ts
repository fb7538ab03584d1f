import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { type ConnectionSettings, withDatabase } from "../../src/database/connection.js";
import { createDatabase } from "../../src/database/database.js";
import { DatabaseUnavailableError, isUnavailable } from "../../src/database/errors.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";

describe("createDatabase", () => {
  let test: TestDatabase;
  before(async () => {
    test = await createTestDatabase();
    await test.database.knex.raw("create table counters (id int primary key, value int8)");
  });
  after(() => test.drop());
  beforeEach(async () => {
    await test.database.knex("counters").delete();
    await test.database.knex("counters").insert([
      { id: 1, value: 0n },
      { id: 2, value: 0n },
    ]);
  });

  async function failure(work: PromiseLike<unknown>): Promise<unknown> {
    try {
      await work;
    } catch (error) {
      return error;
    }
    throw new Error("it succeeded");
  }

  describe("types", () => {
    const int8 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

    it("brings int8 and int8[] back as the bigint that went in", async () => {
      await fc.assert(
        fc.asyncProperty(int8, fc.array(fc.option(int8)), async (one, many) => {
          const { rows } = await test.database.knex.raw(
            "select ?::int8 as one, ?::int8[] as many",
            [one, many] as unknown as string[],
          );
          expect(rows).to.deep.equal([{ one, many }]);
        }),
        { numRuns: 50 },
      );
    });

    it("keeps every digit of numeric, days as text, and instants as instants", async () => {
      const { rows } = await test.database.knex.raw(`
        select sum(v) as total, array_agg(array[v]) as nested,
          date '2024-02-29' as day, timestamptz '2024-02-29 23:59:59.5+13' as instant
        from unnest('{9223372036854775807,1}'::int8[]) v`);
      expect(rows).to.deep.equal([
        {
          total: "9223372036854775808",
          nested: [[9223372036854775807n], [1n]],
          day: "2024-02-29",
          instant: new Date("2024-02-29T10:59:59.500Z"),
        },
      ]);
    });
  });

  describe("transaction", () => {
    it("commits what it did, and gives what it returns", async () => {
      const answer = await test.database.transaction(async (trx) => {
        await trx("counters").where({ id: 1 }).update({ value: 7n });
        return "done";
      });
      expect(answer).to.equal("done");
      expect(await test.database.knex("counters").where({ id: 1 })).to.deep.equal([
        { id: 1, value: 7n },
      ]);
    });

    it("leaves nothing behind when it fails", async () => {
      const error = await failure(
        test.database.transaction(async (trx) => {
          await trx("counters").where({ id: 1 }).update({ value: 7n });
          throw new Error("no");
        }),
      );
      expect(error).to.include({ message: "no" });
      expect(await test.database.knex("counters").where({ value: 7n })).to.deep.equal([]);
    });

    it("runs again what lost a deadlock", async () => {
      let attempts = 0;
      const bothHoldOne = barrier(2);
      const lock = (first: number, second: number) =>
        test.database.transaction(async (trx) => {
          attempts += 1;
          await trx("counters").where({ id: first }).increment("value", 1);
          if (attempts <= 2) await bothHoldOne();
          await trx("counters").where({ id: second }).increment("value", 1);
        });
      await Promise.all([lock(1, 2), lock(2, 1)]);
      expect(attempts).to.equal(3);
      expect(await test.database.knex("counters").orderBy("id")).to.deep.equal([
        { id: 1, value: 2n },
        { id: 2, value: 2n },
      ]);
    });

    it("runs again what could not be serialized", async () => {
      let attempts = 0;
      const bothHaveRead = barrier(2);
      const increment = () =>
        test.database.transaction(
          async (trx) => {
            attempts += 1;
            const row = await trx("counters").where({ id: 1 }).first();
            if (attempts <= 2) await bothHaveRead();
            await trx("counters")
              .where({ id: 1 })
              .update({ value: row.value + 1n });
          },
          { isolationLevel: "repeatable read" },
        );
      await Promise.all([increment(), increment()]);
      expect(attempts).to.equal(3);
      expect(await test.database.knex("counters").where({ id: 1 }).first()).to.include({
        value: 2n,
      });
    });

    it("writes nothing when it is read-only", async () => {
      const error = await failure(
        test.database.transaction((trx) => trx("counters").delete(), { readOnly: true }),
      );
      expect(error).to.include({ code: "25006" });
    });
  });

  describe("when connections break", () => {
    it("replaces a connection that was dropped while idle", async () => {
      const { knex } = test.database;
      const application = `doomed-${randomBytes(4).toString("hex")}`;
      const pool = createDatabase({
        connection: test.connection,
        applicationName: application,
        poolMax: 1,
        logger: silentLogger,
      });
      await pool.ping();
      const { rows } = await knex.raw(
        "select pg_terminate_backend(pid, 5000) as done from pg_stat_activity where application_name = ?",
        [application],
      );
      expect(rows).to.deep.equal([{ done: true }]);
      await pool.ping();
      await pool.destroy();
    });

    it("tells the caller whose connection is dropped, and goes on with others", async () => {
      const error = await failure(
        test.database.transaction((trx) =>
          trx.raw("select pg_terminate_backend(pg_backend_pid())"),
        ),
      );
      expect(error).to.be.instanceOf(DatabaseUnavailableError);
      expect(isUnavailable((error as Error).cause)).to.equal(true);
      const lone = test.database.knex.raw(
        "select pg_terminate_backend(pg_backend_pid()), ?::int",
        [1],
      );
      expect(isUnavailable(await failure(lone))).to.equal(true);
      await eventually("the pool has noticed", () =>
        test.database.ping().then(
          () => true,
          () => false,
        ),
      );
    });

    const unreachable: Record<string, ConnectionSettings> = {
      "no socket": { host: join(tmpdir(), "nobody-here"), port: 5432, user: "x", database: "x" },
      "no port": "postgres://x@127.0.0.1:1/x",
      "no host": "postgres://x@host.invalid/x",
    };
    for (const [what, connection] of Object.entries(unreachable)) {
      it(`is unavailable with ${what}`, async () => {
        const pool = createDatabase({ connection, logger: silentLogger });
        expect(await failure(pool.ping())).to.be.instanceOf(DatabaseUnavailableError);
        await pool.destroy();
      });
    }

    it("is unavailable when no connection becomes free in time", async () => {
      const pool = createDatabase({
        connection: test.connection,
        poolMax: 1,
        acquireTimeoutMs: 50,
        logger: silentLogger,
      });
      const error = await pool.transaction(() => failure(pool.ping()));
      expect(error).to.be.instanceOf(DatabaseUnavailableError);
      await pool.destroy();
    });
  });

  it("ends a statement that runs too long, which is no outage", async () => {
    const pool = createDatabase({
      connection: test.connection,
      statementTimeoutMs: 50,
      logger: silentLogger,
    });
    const error = await failure(pool.knex.raw("select pg_sleep(10)"));
    expect(error).to.include({ code: "57014" });
    expect(isUnavailable(error)).to.equal(false);
    await pool.destroy();
  });

  it("reports a database that does not exist as a mistake, not as an outage", async () => {
    const connection = withDatabase(test.connection, "no such database");
    const pool = createDatabase({ connection, logger: silentLogger });
    const error = await failure(pool.ping());
    expect(error).to.include({ code: "3D000" });
    expect(isUnavailable(error)).to.equal(false);
    await pool.destroy();
  });

  it("keeps the values of a statement that failed out of its error", async () => {
    const error = await failure(test.database.knex.raw("select ?::int", ["top secret"]));

    expect(String((error as Error).message)).to.contain("select $1::int");
    expect(String((error as Error).message)).not.to.contain("'top secret'");
  });

  it("closes its connections when it is destroyed", async () => {
    const application = `closing-${randomBytes(4).toString("hex")}`;
    const pool = createDatabase({
      connection: test.connection,
      applicationName: application,
      logger: silentLogger,
    });
    const count = async () => {
      const activity = test.database.knex("pg_stat_activity");
      return (await activity.where({ application_name: application })).length;
    };
    await pool.ping();
    expect(await count()).to.equal(1);
    await pool.destroy();
    await eventually("the server has seen it", async () => (await count()) === 0);
    expect(isUnavailable(await failure(pool.ping()))).to.equal(true);
  });
});

/** A function that resolves once so many have called it. */
function barrier(parties: number): () => Promise<void> {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let waiting = 0;
  return () => {
    waiting += 1;
    if (waiting === parties) open();
    return opened;
  };
}

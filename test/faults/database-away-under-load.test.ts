import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.js";
import { loadBothPorts } from "./both-ports.js";

/** How long the database is away. */
const AWAY_MS = 3_000;

describe("a database that goes away under load on both ports", function () {
  this.timeout(60_000);
  let own: TestDatabase;
  let proxy: PostgresProxy;
  let app: TestApp;

  before(async () => {
    own = await createTestDatabase();
    proxy = await startPostgresProxy(own.connection);
    const { connection } = proxy;
    app = await startTestApp({ replicaOf: { database: own.database, connection } });
  });
  after(async () => {
    await app.stop();
    await proxy.stop();
    await own.drop();
  });

  it("is told as UNAVAILABLE, and everything goes on by itself, with nothing lost", async () => {
    const load = loadBothPorts(app, 4);
    const isReady = async () => (await fetch(`http://${app.httpAddress}/readyz`)).ok;
    await eventually("the load is under way", () => load.acknowledged.length > 100);
    expect(load.failed).to.deep.equal([]);
    expect(await isReady()).to.equal(true);

    await proxy.cut();
    const away = delay(AWAY_MS);
    await eventually("calls fail", () => load.failed.length > 10);
    await eventually("it is not ready", async () => !(await isReady()));
    expect((await fetch(`http://${app.httpAddress}/healthz`)).ok).to.equal(true);
    await away;
    const before = load.acknowledged.length;
    await proxy.restore();
    await eventually("calls are answered again", () => load.acknowledged.length > before + 100);
    await eventually("it is ready again", isReady);
    await load.stop();

    for (const failure of load.failed) {
      expect(failure).to.include({
        code: Code.UNAVAILABLE,
        reason: "DATABASE_UNAVAILABLE",
        hasRetryInfo: true,
      });
      expect(failure.message).not.to.match(/ECONN|terminat|socket|PGSQL/);
    }
    const { rows } = await own.database.knex.raw(
      "select count(*)::int as found from usage_records where request_id = any(?)",
      [[...load.acknowledged]],
    );
    expect(rows[0].found).to.equal(load.acknowledged.length);
    await expectBalancedBooks(app);
  });
});

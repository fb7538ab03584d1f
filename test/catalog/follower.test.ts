import { expect } from "chai";
import { ALL_ROWS } from "../../src/catalog/catalog-rows.js";
import { createCatalogDirectory } from "../../src/catalog/directory.js";
import {
  type CatalogFollower,
  CatalogUnreadableError,
  createCatalogFollower,
} from "../../src/catalog/follower.js";
import { createPriceVersions } from "../../src/catalog/price-versions.js";
import { withDatabase } from "../../src/database/connection.js";
import { createDatabase } from "../../src/database/database.js";
import { createPriceBook } from "../../src/pricing/price-book.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";

/** How soon every replica has to show a change. */
const WITHIN_MS = 1_000;

const PRICE = `'{"tiers": [{"input_nano_usd_per_million": "3000000000",
  "output_nano_usd_per_million": "15000000000"}]}'::jsonb`;

describe("CatalogFollower", () => {
  let test: TestDatabase;
  let followers: CatalogFollower[];

  beforeEach(async () => {
    test = await createTestDatabase();
    followers = [];
  });
  afterEach(async () => {
    await Promise.all(followers.map((follower) => follower.stop()));
    await test.drop();
  });

  function createReplica() {
    const directory = createCatalogDirectory();
    const priceBook = createPriceBook();
    const priceVersions = createPriceVersions({ database: test.database, logger: silentLogger });
    const follower = createCatalogFollower({
      database: test.database,
      connection: test.connection,
      directory,
      priceBook,
      priceVersions,
      logger: silentLogger,
    });
    followers.push(follower);
    const lookup = (model: string, provider = "", atMs = 0) =>
      priceBook.findTerms({ model, provider, atMs }).lookup;
    return { directory, priceBook, priceVersions, follower, lookup };
  }

  async function startReplica() {
    const replica = createReplica();
    await replica.follower.start();
    return replica;
  }

  const execute = (sql: string) => test.database.knex.raw(sql);

  it("shows at its start everything that is there", async () => {
    await execute(`insert into users (user_id, role) values ('alice', 'ADMIN')`);
    await execute(`insert into api_keys (api_key_id, user_id) values ('key', 'alice')`);
    await execute(`insert into providers (provider, billing_type) values ('p', 'FREE_TIER')`);
    await execute(`insert into provider_endpoints (provider_endpoint_id, provider, request_timeout_ms)
      values ('endpoint', 'p', 90000)`);
    await execute(`insert into provider_keys (provider_key_id, provider, rate_multiplier)
      values ('provider key', 'p', '0.850')`);
    await execute(`insert into models (model) values ('m')`);
    await execute(`insert into model_prices (model, price) values ('m', ${PRICE})`);
    await execute(`insert into budgets
        (budget_id, scope, subject, limit_amount, window_kind, window_days, window_anchor)
      values ('b', 'USER', 'alice', 5, 'EVERY_N_DAYS', 30, '2025-01-01 00:00:00+00')`);
    await execute(`insert into settings (key, value) values ('request_log_level', '"HEADERS"')`);
    const { directory, priceBook } = await startReplica();
    expect(directory.user("alice")?.role).to.equal("ADMIN");
    expect(directory.apiKey("key")?.userId).to.equal("alice");
    expect(directory.providerEndpoint("endpoint")?.requestTimeoutMs).to.equal(90_000);
    expect(directory.model("m")?.active).to.equal(true);
    expect(directory.settings.requestLogLevel).to.equal("HEADERS");
    expect(directory.settings.reservationKey).to.match(/^[0-9a-f]{64}$/);
    expect(directory.budgetsOf("USER", "alice")).to.deep.equal([
      {
        budgetId: "b",
        scope: "USER",
        subject: "alice",
        measure: "COST",
        limit: 5n,
        window: {
          kind: "EVERY_N_DAYS",
          timeZone: "UTC",
          days: 30,
          anchorMs: Date.UTC(2025, 0, 1),
        },
        enforcement: "HARD",
        alertPercents: [],
        expireTimeMs: null,
        onUnavailable: "DENY",
        active: true,
      },
    ]);
    const terms = priceBook.findTerms({
      model: "m",
      provider: "p",
      providerKeyId: "provider key",
      atMs: 0,
    });
    expect(terms.lookup.outcome).to.equal("PRICED");
    expect(terms.billingType).to.equal("FREE_TIER");
    expect(terms.rateMultiplier.text).to.equal("0.85");
  });

  it("shows what another connection inserts, changes and deletes, within a second", async () => {
    const { directory } = await startReplica();
    const other = createDatabase({ connection: test.connection, logger: silentLogger });
    try {
      await other.knex.raw(`insert into users (user_id) values ('alice'), ('bob')`);
      await eventually("insert", () => directory.user("bob") !== undefined, WITHIN_MS);
      await other.knex.raw(`update users set active = false where user_id = 'alice'`);
      await eventually("update", () => directory.user("alice")?.active === false, WITHIN_MS);
      expect(directory.user("bob")?.active).to.equal(true);
      await other.knex.raw(`delete from users where user_id = 'alice'`);
      await eventually("delete", () => directory.user("alice") === undefined, WITHIN_MS);
      expect(directory.user("bob")).to.not.equal(undefined);
    } finally {
      await other.destroy();
    }
  });

  it("follows budgets and settings", async () => {
    const { directory } = await startReplica();
    const { reservationKey } = directory.settings;
    await execute(`insert into budgets (budget_id, scope) values ('b', 'GLOBAL')`);
    await eventually("budget", () => directory.budgetsOf("GLOBAL", "").length === 1, WITHIN_MS);
    await execute(`update budgets set active = false`);
    await eventually("off", () => directory.budgetsOf("GLOBAL", "").length === 0, WITHIN_MS);
    await execute(`insert into settings (key, value) values ('sensitive_headers', '["x-team"]')`);
    await eventually("setting", () => directory.settings.sensitiveHeaders.has("x-team"), WITHIN_MS);
    expect(directory.settings.reservationKey).to.equal(reservationKey);
  });

  it("follows prices, and what else decides a price", async () => {
    const { lookup } = await startReplica();
    const outcome = (model: string, provider?: string) => lookup(model, provider).outcome;
    await execute(`insert into model_prices (model, provider, price)
      values ('m', '', ${PRICE}), ('m', 'p', ${PRICE}), ('n', '', ${PRICE})`);
    await eventually("prices", () => outcome("m") === "PRICED", WITHIN_MS);
    await execute(`delete from model_prices where model = 'm' and provider = ''`);
    await eventually("one less", () => outcome("m") === "NO_PRICE", WITHIN_MS);
    expect(outcome("m", "p")).to.equal("PRICED");
    expect(outcome("n")).to.equal("PRICED");
    await execute(`insert into providers (provider, active) values ('p', false)`);
    await eventually("provider", () => outcome("m", "p") === "PROVIDER_INACTIVE", WITHIN_MS);
    await execute(`delete from providers`);
    await eventually("active again", () => outcome("m", "p") === "PRICED", WITHIN_MS);
    await execute(`insert into models (model, active) values ('m', false)`);
    await eventually("model", () => outcome("m", "p") === "MODEL_INACTIVE", WITHIN_MS);
  });

  it("takes a newer price of an entry and the version that goes with it", async () => {
    const { lookup } = await startReplica();
    await execute(`insert into model_prices (model, price) values ('m', ${PRICE})`);
    const priced = () => {
      const found = lookup("m");
      return found.outcome === "PRICED" ? found.version : undefined;
    };
    const first = await eventually("price", priced, WITHIN_MS);
    await execute(`update model_prices set price = jsonb_set(price, '{request_nano_usd}', '"5"')`);
    const second = await eventually(
      "newer price",
      () => priced()?.version !== first.version && priced(),
      WITHIN_MS,
    );
    expect(second.price.requestNanoUsd).to.equal(5n);
    expect([first.priceId, second.priceId]).to.deep.equal(["m@*", "m@*"]);
  });

  it("spares the query for the versions of the prices that it has read", async () => {
    await execute(`insert into model_prices (model, price) values ('m', ${PRICE})`);
    const { priceVersions } = await startReplica();
    const queries: string[] = [];
    test.database.knex.on("query", ({ sql }: { sql: string }) => queries.push(sql));
    expect((await priceVersions.find(1n))?.model).to.equal("m");
    expect(queries).to.deep.equal([]);
  });

  it("follows changes of too many rows to name", async () => {
    const { directory, lookup } = await startReplica();
    await execute(`insert into users (user_id)
      select 'user with a rather long id ' || n from generate_series(1, 2000) n`);
    await execute(`insert into model_prices (model, price)
      select 'model with a rather long name ' || n, ${PRICE} from generate_series(1, 2000) n`);
    const id = "user with a rather long id 2000";
    await eventually("users", () => directory.user(id) !== undefined, WITHIN_MS * 2);
    const model = "model with a rather long name 2000";
    await eventually("prices", () => lookup(model).outcome === "PRICED", WITHIN_MS * 2);
    await execute(`delete from users where user_id <> '${id}'`);
    await execute(`delete from model_prices where model <> '${model}'`);
    await eventually(
      "users gone",
      () => directory.user("user with a rather long id 1") === undefined,
      WITHIN_MS * 2,
    );
    await eventually(
      "prices gone",
      () => lookup("model with a rather long name 1").outcome === "NO_PRICE",
      WITHIN_MS * 2,
    );
    expect(directory.user(id)).to.not.equal(undefined);
    expect(lookup(model).outcome).to.equal("PRICED");
  });

  it("catches up with what changed while it could not listen", async () => {
    const { directory } = await startReplica();
    const administration = createDatabase({
      connection: withDatabase(test.connection, "postgres"),
      logger: silentLogger,
    });
    const { rows } = await execute("select current_database() as name");
    const allowConnections = (isAllowed: boolean) =>
      administration.knex.raw(`alter database ?? allow_connections ${isAllowed}`, [rows[0].name]);
    try {
      await allowConnections(false);
      const ended = await execute(
        `select pg_terminate_backend(pid, 5000) as ended from pg_stat_activity
         where application_name = 'tally catalog' and datname = current_database()`,
      );
      expect(ended.rows).to.deep.equal([{ ended: true }]);
      await execute(`insert into users (user_id) values ('missed')`);
      await allowConnections(true);
      await eventually("reconnect", () => directory.user("missed") !== undefined);
    } finally {
      await administration.destroy();
    }
  });

  it("shows a change as soon as a refresh of its rows resolves", async () => {
    const { directory, follower } = await startReplica();
    for (let round = 1; round <= 20; round += 1) {
      const name = `round ${round}`;
      await execute(`insert into users (user_id, username) values ('alice', '${name}')
        on conflict (user_id) do update set username = excluded.username`);
      await follower.refresh(new Map([["users", new Set(["alice"])]]));
      expect(directory.user("alice")?.username).to.equal(name);
    }
  });

  it("keeps two replicas the same", async () => {
    const [a, b] = [await startReplica(), await startReplica()];
    await execute(`insert into users (user_id) values ('alice')`);
    await a.follower.refresh(new Map([["users", new Set(["alice"])]]));
    expect(a.directory.user("alice")).to.not.equal(undefined);
    await eventually("other replica", () => b.directory.user("alice") !== undefined, WITHIN_MS);
    expect(b.directory.settings.reservationKey).to.equal(a.directory.settings.reservationKey);
  });

  it("does not start on a price that it cannot read, and names it", async () => {
    await execute(`insert into model_prices (model, provider, price) values ('m', 'p', '{}')`);
    const { follower } = createReplica();
    const error = await follower.start().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(CatalogUnreadableError);
    expect((error as Error).message).to.equal("table model_prices, m@p: tiers: must be a list");
  });

  it("keeps an entry as it was when its row is spoiled later, and follows the others", async () => {
    await execute(`insert into model_prices (model, price) values ('m', ${PRICE})`);
    await execute(`insert into provider_keys (provider_key_id, provider, rate_multiplier)
      values ('k', 'p', '2')`);
    const { directory, follower, lookup } = await startReplica();
    await execute(`update model_prices set price = '[]'`);
    await execute(`update provider_keys set rate_multiplier = 'many'`);
    await execute(`insert into users (user_id) values ('alice')`);
    await eventually("user", () => directory.user("alice") !== undefined, WITHIN_MS);
    await follower.refresh(ALL_ROWS);
    expect(lookup("m").outcome).to.equal("PRICED");
    expect(directory.providerKey("k")?.rateMultiplier).to.equal("2");
  });

  it("refuses a refresh once it has stopped", async () => {
    const { follower } = await startReplica();
    await follower.stop();
    const error = await follower.refresh(ALL_ROWS).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(Error);
  });
});

import { expect } from "chai";
import { createUsagePurger } from "../../../src/usage/retention/retention.js";
import { createRetentionSchedule } from "../../../src/usage/retention/retention-schedule.js";
import { createRetentionStore } from "../../../src/usage/retention/retention-store.js";
import { startTestApp, type TestApp } from "../../support/app.js";
import { expectBalancedBooks } from "../../support/books.js";
import { eventually } from "../../support/eventually.js";
import { silentLogger } from "../../support/postgres.js";
import { USAGE_CATALOG } from "../usage-fixture.js";
import { countRows, recordAges } from "./retention-fixture.js";

const LIMITS = { bodyDays: 7, headerDays: 90, recordDays: 365, keyDays: 35 };

describe("createRetentionSchedule", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
  });
  after(() => app.stop());

  it("purges once a day, whichever replica looks first, and again the day after", async () => {
    const purger = createUsagePurger(createRetentionStore(app.database));
    let looks = 0;
    const counting: typeof purger = {
      ...purger,
      purgeIfDue: (options, intervalMs) =>
        purger.purgeIfDue(options, intervalMs).finally(() => {
          looks += 1;
        }),
    };
    const schedules = [1, 2].map(() =>
      createRetentionSchedule({
        purger: counting,
        limits: () => LIMITS,
        logger: silentLogger,
        firstLookMs: 1,
        lookMs: 5,
      }),
    );
    const scheduled = () => app.database.knex("purges").where({ trigger: "SCHEDULE" });
    await recordAges(app, [364, 366]);
    for (const schedule of schedules) schedule.start();
    await eventually("both have looked often", () => looks > 10);
    expect(await scheduled()).to.have.length(1);
    expect(await countRows(app.database, "usage_records")).to.equal(1);

    await app.database.knex.raw("update purges set start_time = now() - interval '25 hours'");
    await eventually("the next day's purge has ended", async () => {
      const rows = await scheduled();
      return rows.length === 2 && rows.every(({ end_time }) => end_time !== null);
    });
    for (const schedule of schedules) await schedule.stop();
    const looksAtStop = looks;
    await expectBalancedBooks(app);
    expect(looks).to.equal(looksAtStop);
  });

  it("tries again when a purge fails, and does not count one that was cut off", async () => {
    await app.database.knex("purges").delete();
    await app.database.knex("purges").insert({ trigger: "SCHEDULE" });
    const purger = createUsagePurger(createRetentionStore(app.database));
    let failures = 1;
    const schedule = createRetentionSchedule({
      purger: {
        ...purger,
        async purgeIfDue(options, intervalMs) {
          if (failures-- > 0) throw new Error("away");
          return purger.purgeIfDue(options, intervalMs);
        },
      },
      limits: () => LIMITS,
      logger: silentLogger,
      firstLookMs: 1,
      lookMs: 1,
    });
    schedule.start();
    await eventually("a purge has ended", async () => {
      const ended = await app.database.knex("purges").whereNotNull("end_time");
      return ended.length === 1;
    });
    await schedule.stop();
  });
});

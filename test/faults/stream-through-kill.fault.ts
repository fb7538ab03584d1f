import { expect } from "chai";
import { showProgress } from "../support/fault-settings.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { streamThroughKill } from "./stream-through-kill.js";

const RECORDS = 100_000;

/** The garbage collector's ups and downs; 25,000 records that are kept take some 75 MiB. */
const MOST_GROWN_MIB = 40;

describe("a long stream of records whose server is killed half-way", () => {
  let database: TestDatabase;

  before(async () => {
    database = await createTestDatabase();
  });
  after(() => database.drop());

  it("loses and doubles nothing, in bounded memory", async () => {
    const { acknowledgedBefore, replayed, grownMib } = await streamThroughKill(
      database.connection,
      RECORDS,
    );
    showProgress(
      `${acknowledgedBefore} acknowledged before, ${replayed} written but not acknowledged; ` +
        `memory grew by ${grownMib.toFixed(0)} MiB`,
    );
    expect(grownMib).to.be.below(MOST_GROWN_MIB);
  });
});

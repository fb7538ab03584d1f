import { expect } from "chai";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { streamThroughKill } from "./stream-through-kill.js";

describe("a stream of records whose server is killed half-way", function () {
  this.timeout(120_000);
  let database: TestDatabase;

  before(async () => {
    database = await createTestDatabase();
  });
  after(() => database.drop());

  it("loses and doubles nothing when it goes on after the last acknowledged one", async () => {
    const { acknowledgedBefore } = await streamThroughKill(database.connection, 5_000);
    expect(acknowledgedBefore).to.be.at.least(2_500);
  });
});

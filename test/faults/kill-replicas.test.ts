import { createPrng } from "../../src/traffic/prng.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { type ShiftedClock, shiftClock } from "../support/shifted-clock.js";
import { type Replica, startReplicas } from "./replica.js";
import { killReplicas, runRounds, untilNothingIsHeld } from "./rounds.js";

/** Longer than the longest reservation and what leases outlive it by. */
const ALL_EXPIRED_MS = 300_000;

describe("replicas that are killed under load", function () {
  this.timeout(120_000);
  let database: TestDatabase;
  let clock: ShiftedClock;
  let replicas: readonly Replica[];

  before(async () => {
    database = await createTestDatabase();
    clock = await shiftClock(database.database);
    replicas = await startReplicas(database.connection, 2);
  });
  after(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await database.drop();
  });

  it("lose and double nothing, pass no limit, and what they held comes back", async () => {
    const prng = createPrng(20_261);
    const ledger = await runRounds({
      replicas,
      rounds: 5,
      prng,
      answers: [20, 100],
      strike: () => killReplicas(replicas, prng),
    });
    await clock.advance(ALL_EXPIRED_MS);
    await untilNothingIsHeld(ledger, replicas[0]!, 10_000);
  });
});

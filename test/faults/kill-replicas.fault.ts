import { createPrng } from "../../src/traffic/prng.js";
import { faultRounds, faultSeed, showProgress } from "../support/fault-settings.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { type Replica, startReplicas } from "./replica.js";
import { killReplicas, runRounds, untilNothingIsHeld } from "./rounds.js";

/** Leases expire a minute after the last reservation in them, and then are swept. */
const ALL_EXPIRED_MS = 150_000;

describe(`replicas that are killed under load (FAULT_SEED=${faultSeed})`, () => {
  let database: TestDatabase;
  let replicas: readonly Replica[];

  before(async () => {
    database = await createTestDatabase();
    replicas = await startReplicas(database.connection, 2);
  });
  after(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await database.drop();
  });

  it("lose and double nothing, pass no limit, and what they held comes back", async () => {
    const prng = createPrng(faultSeed);
    const ledger = await runRounds({
      replicas,
      rounds: faultRounds(100),
      prng,
      answers: [20, 800],
      strike: () => killReplicas(replicas, prng),
      onRound: showProgress,
    });
    await untilNothingIsHeld(ledger, replicas[0]!, ALL_EXPIRED_MS);
  });
});

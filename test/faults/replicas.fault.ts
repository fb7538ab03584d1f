import { expectBalancedBooks } from "../support/books.js";
import { faultRounds, faultSeed, showProgress } from "../support/fault-settings.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { type Replica, startReplicas } from "./replica.js";
import { allTogether, expectSpentToTheEnd, oneAfterAnother } from "./spent-to-the-end.js";

describe(`four replicas that spend budgets to their end (FAULT_SEED=${faultSeed})`, () => {
  let database: TestDatabase;
  let replicas: readonly Replica[];

  before(async () => {
    database = await createTestDatabase();
    replicas = await startReplicas(database.connection, 4);
  });
  after(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await database.drop();
  });

  for (const [how, callers] of [
    ["all together", allTogether],
    ["one after another", oneAfterAnother],
  ] as const) {
    it(`do so ${how}`, async () => {
      const rounds = faultRounds(5);
      for (let round = 1; round <= rounds; round += 1) {
        const seed = (faultSeed + round) % 2 ** 32;
        await expectSpentToTheEnd(replicas, { requests: 5_000, seed, callers });
        showProgress(`${round} of ${rounds}`);
      }
      await expectBalancedBooks(replicas[0]!);
    });
  }
});

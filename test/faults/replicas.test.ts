import { expect } from "chai";
import { reserving, standing, untilKnown, userWithLimit } from "../quota/quota-fixture.js";
import { expectBalancedBooks } from "../support/books.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { type Replica, startReplicas } from "./replica.js";
import { allTogether, expectSpentToTheEnd, oneAfterAnother } from "./spent-to-the-end.js";

describe("replicas in processes of their own", function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let replicas: readonly Replica[];
  let first: Replica;

  before(async () => {
    database = await createTestDatabase();
    replicas = await startReplicas(database.connection, 4);
    first = replicas[0]!;
  });
  after(async () => {
    try {
      await expectBalancedBooks(first);
    } finally {
      await Promise.all(replicas.map((replica) => replica.stop()));
      await database.drop();
    }
  });

  async function userKnownToAll(limit: bigint): Promise<string> {
    const userId = await userWithLimit(first, limit);
    await Promise.all(replicas.map((replica) => untilKnown(replica, userId)));
    return userId;
  }

  for (const count of [1, 4]) {
    for (const [fitting, asking] of [
      [1, 60],
      [37, 400],
      [399, 400],
    ] as const) {
      it(`${count} of them admit exactly ${fitting} of ${asking} at once that ask`, async () => {
        const userId = await userKnownToAll(BigInt(fitting) * 1_000n + 999n);
        const answers = await Promise.all(
          Array.from({ length: asking }, (_, n) =>
            replicas[n % count]!.clients.checker.checkQuota(reserving(userId, 1_000n)),
          ),
        );
        const admitted = answers.filter(({ allowed }) => allowed);
        expect(admitted).to.have.length(fitting);
        expect(new Set(admitted.map(({ reservationId }) => reservationId)).size).to.equal(fitting);
        const { spent, held } = await standing(first, userId);
        expect(spent).to.equal(0n);
        expect(held >= BigInt(fitting) * 1_000n).to.equal(true);
      });
    }
  }

  it("spend one budget to its end together", () =>
    expectSpentToTheEnd(replicas, { requests: 500, seed: 1, callers: allTogether }));

  it("spend what another of them no longer uses", () =>
    expectSpentToTheEnd(replicas, { requests: 500, seed: 2, callers: oneAfterAnother }));
});

import { expect } from "chai";
import {
  type BoundedReads,
  createBoundedReads,
} from "../../../src/analytics/records/bounded-reads.js";
import { DomainError } from "../../../src/errors.js";
import { eventually } from "../../support/eventually.js";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.js";

describe("createBoundedReads", () => {
  let test: TestDatabase;
  before(async () => {
    test = await createTestDatabase();
  });
  after(() => test.drop());

  async function failureOf(call: Promise<unknown>): Promise<DomainError> {
    const error = await call.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof DomainError) return error;
    throw error;
  }

  const sleep = (reads: BoundedReads, seconds: number) =>
    reads.run((run) => run({ text: "select pg_sleep(?)", values: [seconds] }));

  it("ends a query that takes too long, and says what to do", async () => {
    const reads = createBoundedReads({ database: test.database, timeoutMs: 30 });
    const failure = await failureOf(sleep(reads, 60));
    expect(failure.reason).to.equal("INVALID_FIELD");
    expect(failure.message).to.include("shorter range");
    const rows = await reads.run((run) => run({ text: "select 1 as one", values: [] }));
    expect(rows).to.deep.equal([{ one: 1 }]);
  });

  it("runs a few at once, lets some wait, and refuses more", async () => {
    const reads = createBoundedReads({ database: test.database, atOnce: 2, maxWaiting: 3 });
    let running = 0;
    let most = 0;
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const calls = Array.from({ length: 5 }, () =>
      reads.run(async () => {
        running += 1;
        most = Math.max(most, running);
        await opened;
        running -= 1;
      }),
    );
    const refused = await failureOf(reads.run(async () => undefined));
    expect(refused.reason).to.equal("OVERLOADED");
    await eventually("two are running", () => running === 2);
    open();
    await Promise.all(calls);
    expect(most).to.equal(2);
    await reads.run(async () => undefined);
  });

  it("frees the place of one that failed", async () => {
    const reads = createBoundedReads({ database: test.database, atOnce: 1, maxWaiting: 0 });
    const broken = await reads.run((run) => run({ text: "select 1/0", values: [] })).catch(String);
    expect(broken).to.include("division by zero");
    expect(await reads.run(async () => "free")).to.equal("free");
  });

  it("lets all queries of one piece of work see the same records, and change none", async () => {
    const reads = createBoundedReads({ database: test.database });
    await test.database.knex.raw("create table seen (n integer)");
    const counts = await reads.run(async (run) => {
      const before = await run({ text: "select count(*) from seen", values: [] });
      await test.database.knex("seen").insert({ n: 1 });
      return [before, await run({ text: "select count(*) from seen", values: [] })];
    });
    expect(counts[1]).to.deep.equal(counts[0]);
    const refused = await reads
      .run((run) => run({ text: "delete from seen", values: [] }))
      .catch(String);
    expect(refused).to.include("read-only");
  });
});

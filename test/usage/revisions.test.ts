import { expect } from "chai";
import fc from "fast-check";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { uniqueId } from "../support/unique-id.js";
import { at, type UsageInit } from "./usage-fixture.js";
import { addUp, DAYS, MODEL_CATALOG, type Sums, type Told, tolds } from "./usage-model.js";

const { PENDING, COMPLETED, FAILED } = UsageStatus;

/** Something said about one of a few requests; several at once go into one batch. */
const words = fc.record({ request: fc.nat({ max: 5 }), told: tolds });
const runs = fc.array(fc.array(words, { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 8,
});

describe("any sequence of records, revisions and repetitions", () => {
  let first: TestApp;
  let second: TestApp;

  before(async () => {
    first = await startTestApp();
    await first.apply(MODEL_CATALOG);
    second = await startTestApp({ replicaOf: first });
  });
  after(async () => {
    await second.stop();
    await first.stop();
  });

  it("leaves every sum as if only the last words had been said", async () => {
    // Later runs add to the sums of earlier ones.
    const lastWords = new Map<string, Told>();
    await fc.assert(
      fc.asyncProperty(runs, async (batches) => {
        const prefix = uniqueId("run");
        for (const [index, batch] of batches.entries()) {
          const { recorder } = (index % 2 === 0 ? first : second).clients;
          const requests = batch.map(({ request, told }) => ({
            usage: toInput(`${prefix}-${request}`, told),
          }));
          // Said twice: the second time, whatever differs from the last word is a revision again.
          await recorder.batchRecordUsage({ requests });
          await recorder.batchRecordUsage({ requests: requests.slice(-1) });
          for (const { request, told } of batch) {
            const id = `${prefix}-${request}`;
            // A finished request never goes back.
            if (told.isFinished || !lastWords.get(id)?.isFinished) lastWords.set(id, told);
          }
        }
        expect(await readSums(first)).to.deep.equal(addUp(lastWords.values()));
      }),
      { numRuns: 25 },
    );
    await expectBalancedBooks(first);
  });

  it("ends with one of the words when two replicas are told at once", async () => {
    const requestId = uniqueId("contended");
    const said = fc.sample(tolds, 24).map((told, index) => ({
      ...told,
      input: index,
      isFinished: true,
    }));
    const answers = await Promise.all(
      said.map((told, index) =>
        (index % 2 === 0 ? first : second).clients.recorder.recordUsage({
          usage: toInput(requestId, told),
        }),
      ),
    );
    const revisions = answers.map(({ record }) => Number(record?.revision));
    expect(revisions.sort((a, b) => a - b)).to.deep.equal(said.map((_, index) => index + 1));
    const { record } = await first.clients.recorder.getUsage({ requestId });
    expect(record?.revision).to.equal(BigInt(said.length));
    expect(Number(record?.inputTokens)).to.be.within(0, said.length - 1);
    await expectBalancedBooks(first);
  });
});

function toInput(requestId: string, told: Told): UsageInit {
  return {
    requestId,
    userId: told.user,
    apiKeyId: told.key,
    provider: told.provider,
    providerApiKeyId: told.provider,
    model: told.model,
    tags: { team: told.tag },
    inputTokens: BigInt(told.input),
    outputTokens: BigInt(told.output),
    createTime: at(`${DAYS[told.day]}T12:00:00Z`),
    statusCode: told.isFailed ? 500 : 200,
    excludeFromBudgets: told.isExcluded,
    status: told.isFinished ? (told.isFailed ? FAILED : COMPLETED) : PENDING,
  };
}

async function readSums({ database }: TestApp): Promise<Sums> {
  const { rows } = await database.knex.raw(`
    select 'spent ' || budget_id || ' ' || (period_start at time zone 'UTC')::date as name,
      spent as sum
    from budget_periods
    union all
    select concat_ws(' ', f.name, (array['USER', 'API_KEY', 'PROVIDER', 'MODEL'])[kind], id),
      sum(f.figure)::bigint
    from subject_totals cross join lateral (values
      ('requests', requests), ('tokens', tokens), ('cost', cost), ('actual', actual_cost)
    ) f (name, figure)
    group by 1`);
  const sums = (rows as { name: string; sum: bigint }[]).filter(({ sum }) => sum !== 0n);
  return new Map(sums.map(({ name, sum }) => [name, sum]));
}

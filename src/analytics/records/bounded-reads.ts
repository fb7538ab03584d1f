import type { Database, Transaction } from "../../database/database.js";
import { errorCode } from "../../database/errors.js";
import { DomainError, invalidField } from "../../errors.js";
import type { Sql } from "../usage-rows.js";

/** Runs queries over many records, so that they never stand in the way of recording. */
export interface BoundedReads {
  /**
   * All queries of `work` see one state of the database.
   *
   * @throws DomainError OVERLOADED when too many wait, INVALID_FIELD when there is too much to read
   */
  run<T>(work: (query: Query) => Promise<T>): Promise<T>;
}

/** Runs one query. */
export type Query = <Row>(sql: Sql) => Promise<Row[]>;

/** Options of {@link createBoundedReads}. */
export interface BoundedReadsOptions {
  readonly database: Pick<Database, "transaction">;
  /** How many run at the same time; each keeps a connection. Default 2. */
  readonly atOnce?: number;
  /** How many wait for that, at most. Default 50. */
  readonly maxWaiting?: number;
  /** The longest that one query takes. Default 10 s. */
  readonly timeoutMs?: number;
}

const QUERY_CANCELED = "57014";

/** Makes a runner. */
export function createBoundedReads(options: BoundedReadsOptions): BoundedReads {
  const { database, atOnce = 2, maxWaiting = 50, timeoutMs = 10_000 } = options;
  const waiting: (() => void)[] = [];
  let running = 0;

  async function enter(): Promise<void> {
    if (running < atOnce) {
      running += 1;
      return;
    }
    if (waiting.length >= maxWaiting) {
      throw new DomainError("OVERLOADED", "too many analyses are under way; try again");
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  /** Whoever waits longest takes the place over. */
  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }

  return {
    async run(work) {
      await enter();
      try {
        return await database.transaction((trx) => runIn(trx, timeoutMs, work), {
          isolationLevel: "repeatable read",
          readOnly: true,
        });
      } catch (error) {
        if (errorCode(error) !== QUERY_CANCELED) throw error;
        const rule = `make more than can be read in ${timeoutMs / 1_000} s: ask for a shorter range`;
        throw invalidField("start_time, end_time", "these records", rule);
      } finally {
        leave();
      }
    },
  };
}

async function runIn<T>(
  trx: Transaction,
  timeoutMs: number,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  // To compile such a query takes longer than to run most of them.
  await trx.raw(`set local statement_timeout = ${timeoutMs}; set local jit = off`);
  return work(async ({ text, values }) => {
    const { rows } = await trx.raw(text, values as unknown as string[]);
    return rows;
  });
}

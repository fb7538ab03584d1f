/** Books that are right, in which everything about one record is known, and changes to them. */
import { createHash } from "node:crypto";
import { expect } from "chai";
import { createLedgerVerifier, type LedgerReport } from "../../src/operations/verify.js";
import { createVerifyStore } from "../../src/operations/verify-store.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { KNOWN_RECORD } from "./known-record.js";
import { insertLease, insertTestBudgets, recordAll, sampleRecords } from "./ledger-fixture.js";

/** The lane that only the known record was posted in: its rows hold that record alone. */
export const KNOWN_LANE = 1;

/** When it was created. */
export const KNOWN_TIME = "2026-01-15 12:20:00+00";
/** Midnight before it in Kathmandu, where its budgets begin their days. */
const KNOWN_DAY = "2026-01-14 18:15:00+00";
/** The periods that it charged, as VerifyLedger names them. */
export const KNOWN_PERIODS: Readonly<Record<string, string>> = {
  all: "all from 1970-01-01 00:00:00+00",
  user: `user from ${KNOWN_DAY}`,
  paid: `paid from ${KNOWN_DAY}`,
  calls: `calls from ${KNOWN_DAY}`,
  gone: "gone from 1970-01-01 00:00:00+00",
};

/** Its subjects, as VerifyLedger names them, in the order of their kinds. */
export const KNOWN_SUBJECTS = ["user u1", "API key k1", "provider p1", "model m 1"];

const TAG_SET = ` tag ${createHash("sha256").update('{"team": "t1"}').digest("hex").slice(0, 32)}`;

/** Its buckets, as VerifyLedger names them, in the order of their grains. */
export const KNOWN_BUCKETS = [
  ["2026-01-15 12:15:00+00", "u1", "k1", "p1", "m 1", "CLAUDE", TAG_SET],
  ["2026-01-15 00:00:00+00", "u1", "k1", "", "", "", ""],
  ["2026-01-01 00:00:00+00", "u1", "k1", "", "", "", ""],
  ["2026-01-15 12:15:00+00", "", "", "p1", "m 1", "CLAUDE", ""],
  ["2026-01-15 12:00:00+00", "", "", "p1", "m 1", "CLAUDE", ""],
  ["2026-01-15 00:00:00+00", "", "", "p1", "m 1", "CLAUDE", ""],
  ["2026-01-01 00:00:00+00", "", "", "p1", "m 1", "CLAUDE", ""],
  ["2026-01-15 00:00:00+00", "", "", "", "", "", " tag team=t1"],
  ["2026-01-01 00:00:00+00", "", "", "", "", "", " tag team=t1"],
].map(
  ([time, user, key, provider, model, format, tag], index) =>
    `grain ${index + 1} from ${time} user '${user}' API key '${key}' provider '${provider}' ` +
    `model '${model}' format '${format}' failed${tag}`,
);

/** A drift by what is stored too much, or, below 0, too little; 0 for another sketch. */
export type Excess = readonly [check: string, subject: string, figure: string, excess: number];

/** What is stored too much. */
export function toExcess(drift: LedgerReport["drifts"][number]): Excess {
  const isSketch = `${drift.stored} ${drift.recomputed}`.includes("sketch");
  if (isSketch) return [drift.check, drift.subject, drift.figure, 0];
  const excess = BigInt(drift.stored) - BigInt(drift.recomputed);
  return [drift.check, drift.subject, drift.figure, Number(excess)];
}

/** A drift for each figure. */
export function each<T>(
  figures: Readonly<Record<string, T>>,
  toDrift: (name: string, value: T) => Excess,
): Excess[] {
  return Object.entries(figures).map(([name, value]) => toDrift(name, value));
}

/** The books, and what is found in them once something was changed behind their back. */
export interface KnownBooks {
  readonly database: TestDatabase["database"];
  /** Verifies in the transaction of the change, and undoes it. */
  reportAfter(statement: string, maxDrifts?: number): Promise<LedgerReport>;
  /** Expects these drifts, in any order, and no others. */
  expectDrifts(statement: string, expected: readonly Excess[]): Promise<void>;
  drop(): Promise<void>;
}

/** Writes the books. */
export async function createKnownBooks(): Promise<KnownBooks> {
  const { database, drop } = await createTestDatabase();
  await insertTestBudgets(database);
  await recordAll(database, sampleRecords(80, 5), 0);
  await recordAll(database, [KNOWN_RECORD], KNOWN_LANE);
  const period = { budgetId: "user", periodStart: KNOWN_DAY };
  await insertLease(database, { ...period, replicaId: "one", amount: 70 });
  await insertLease(database, { ...period, replicaId: "two", amount: 30 });

  async function reportAfter(statement: string, maxDrifts = 1_000): Promise<LedgerReport> {
    const trx = await database.knex.transaction();
    try {
      const { rowCount } = await trx.raw(statement);
      expect(rowCount, "rows that were changed").to.be.above(0);
      const store = createVerifyStore({ transaction: (work) => work(trx) });
      return await createLedgerVerifier(store).verify({ maxDrifts });
    } finally {
      await trx.rollback();
    }
  }

  async function expectDrifts(statement: string, expected: readonly Excess[]): Promise<void> {
    const { drifts, driftCount } = await reportAfter(statement);
    expect(drifts.map(toExcess)).to.have.deep.members(expected);
    expect(driftCount).to.equal(BigInt(expected.length));
  }

  return { database, reportAfter, expectDrifts, drop };
}

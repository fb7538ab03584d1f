import { expect } from "chai";
import fc from "fast-check";
import { SummaryPeriod, UsageDimension, UsageMeasure } from "../../gen/tally/v1/analytics_pb.js";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { toProtoTime } from "../../src/analytics/to-proto.js";
import type { UsageRecord } from "../../src/usage/usage-record.js";
import { type RecordContent, toRecord } from "../operations/ledger-arbitraries.js";
import { clearUsage, recordAll, replaceAll } from "../operations/ledger-fixture.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { exactOf, expectFigures } from "./expect-figures.js";
import { askRecords, contents, filters, ranges, ZONES } from "./history.js";

const { HOUR, DAY, WEEK, MONTH, TOTAL } = SummaryPeriod;

/** A period by what the calendar says of a moment in it. */
const LABELS: Readonly<Record<number, string>> = {
  [HOUR]: "YYYY-MM-DD HH24",
  [DAY]: "YYYY-MM-DD",
  [WEEK]: "IYYY-IW",
  [MONTH]: "YYYY-MM",
  [TOTAL]: '"all"',
};

/** What plain SQL calls a dimension. */
const COLUMNS: Readonly<Record<number, string>> = {
  [UsageDimension.USER]: "user_id",
  [UsageDimension.API_KEY]: "api_key_id",
  [UsageDimension.PROVIDER]: "provider",
  [UsageDimension.MODEL]: "model",
  [UsageDimension.API_FORMAT]: "api_format",
  [UsageDimension.STATUS]: "status",
  [UsageDimension.TAG]: "t.key || '=' || t.value",
};

const history = fc.record({
  first: fc.array(contents, { minLength: 1, maxLength: 60 }),
  revised: fc.array(contents, { maxLength: 10 }),
});

describe("Analytics", () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp();
    await app.apply({
      users: [{ userId: "u1", email: "one@example.com", username: "One" }],
      apiKeys: [{ apiKeyId: "k1", kind: ApiKeyKind.STANDALONE }],
    });
  });
  after(() => app.stop());

  async function write({ first, revised }: { first: RecordContent[]; revised: RecordContent[] }) {
    await clearUsage(app.database);
    const records = first.map((content, index) => toRecord(content, `r${index}`));
    await recordAll(app.database, records.slice(0, 30), 0);
    await recordAll(app.database, records.slice(30), 1);
    const replacements = revised
      .slice(0, records.length)
      .map((content, index): UsageRecord => toRecord(content, `r${index}`, 2n));
    await replaceAll(app.database, replacements, 2);
  }

  function rangeOf({ startUs, endUs }: { startUs: number; endUs: number }) {
    return { startTime: toProtoTime(startUs), endTime: toProtoTime(endUs) };
  }

  const dimensions = fc.subarray(
    [1, 2, 3, 4, 5, 6].map((number) => number as UsageDimension),
    { maxLength: 3 },
  );

  it("sums up by period and dimensions as the records do, in every zone", async () => {
    const question = fc.record({
      range: ranges,
      filters,
      timeZone: fc.constantFrom(...ZONES),
      groupBy: fc.constantFrom(HOUR, DAY, DAY, WEEK, MONTH, TOTAL),
      dimensions,
    });
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.array(question, { minLength: 8, maxLength: 8 }),
        async (written, questions) => {
          await write(written);
          for (const { range, filters: only, timeZone, groupBy, dimensions: by } of questions) {
            const answer = await app.clients.analytics.getUsageSummary({
              ...rangeOf(range),
              ...only,
              timeZone,
              groupBy,
              dimensions: by,
              byPeriodAlone: by.length === 0,
            });
            const label = `to_char(created_time at time zone '${timeZone}', '${LABELS[groupBy]}')`;
            const keys = [label, ...by.map((dimension) => COLUMNS[dimension] ?? "")];
            const plain = await askRecords(app.database, { keys, range, filters: only });
            const starts = answer.rows.map(({ startTime }) => Number(startTime?.seconds));
            const labels = await labelsOf(starts, timeZone, LABELS[groupBy] ?? "");
            const found = answer.rows.map((row, index) => ({
              keys: [labels[index], ...by.map((dimension) => dimensionValue(row, dimension))],
              figures: row.figures,
            }));
            // Two hours that bear the same name are one to plain SQL: not looked at in detail.
            if (new Set(labels).size === new Set(starts).size) {
              expect(found.map((row) => row.keys)).to.have.deep.members(
                plain.map((row) => row.keys),
              );
              for (const row of plain) {
                const same = found.find((other) => `${other.keys}` === `${row.keys}`);
                expectFigures(same?.figures, row.figures);
              }
            }
            const [all] = await askRecords(app.database, { keys: [], range, filters: only });
            if (all) expectFigures(answer.total, all.figures);
            else expect(answer.rows).to.deep.equal([]);
          }
        },
      ),
      { numRuns: 10, endOnFailure: true },
    );
    await expectBalancedBooks(app);
  });

  async function labelsOf(seconds: number[], timeZone: string, format: string): Promise<string[]> {
    const { rows } = await app.database.knex.raw(
      `select to_char(to_timestamp(s) at time zone ?, ?) as label
      from unnest(?::bigint[]) with ordinality u (s, n) order by n`,
      [timeZone, format, seconds as unknown as string],
    );
    return (rows as { label: string }[]).map(({ label }) => label);
  }

  function dimensionValue(
    row: Awaited<ReturnType<typeof app.clients.analytics.getUsageSummary>>["rows"][number],
    dimension: UsageDimension,
  ): string {
    switch (dimension) {
      case UsageDimension.USER:
        return row.userId;
      case UsageDimension.API_KEY:
        return row.apiKeyId;
      case UsageDimension.PROVIDER:
        return row.provider;
      case UsageDimension.MODEL:
        return row.model;
      case UsageDimension.API_FORMAT:
        return row.apiFormat;
      default:
        return UsageStatus[row.status] ?? "";
    }
  }

  const measures = fc.constantFrom(UsageMeasure.COST, UsageMeasure.TOKENS, UsageMeasure.REQUESTS);

  function measureOf(exact: Readonly<Record<string, bigint | undefined>>, measure: UsageMeasure) {
    const sum = (pattern: RegExp) =>
      Object.entries(exact).reduce(
        (total, [name, value]) => total + (pattern.test(name) ? (value ?? 0n) : 0n),
        0n,
      );
    if (measure === UsageMeasure.REQUESTS) return exact.requests ?? 0n;
    return measure === UsageMeasure.TOKENS
      ? sum(/Tokens$/)
      : sum(/^(input|output|cacheCreation|cacheRead|request)NanoUsd$/);
  }

  /** The largest first; those that are equal stay in the order of their bytes. */
  function ranked<T extends { figures: { exact: Readonly<Record<string, bigint>> } }>(
    rows: T[],
    measure: UsageMeasure,
  ): T[] {
    return rows.sort((a, b) => {
      const [x, y] = [measureOf(a.figures.exact, measure), measureOf(b.figures.exact, measure)];
      return x === y ? 0 : x > y ? -1 : 1;
    });
  }

  it("breaks down by every dimension as the records do, page by page", async () => {
    const question = fc.record({ range: ranges, filters, orderBy: measures });
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.array(question, { minLength: 7, maxLength: 7 }),
        async (written, questions) => {
          await write(written);
          for (const [index, { range, filters: only, orderBy }] of questions.entries()) {
            const dimension = (index + 1) as UsageDimension;
            const byTag = dimension === UsageDimension.TAG;
            const keys = [COLUMNS[dimension] ?? ""];
            const asked = { range, filters: only };
            const plain = ranked(
              await askRecords(app.database, { ...asked, keys, byTag }),
              orderBy,
            );
            const [all] = await askRecords(app.database, { ...asked, keys: [] });
            const request = { ...rangeOf(range), ...only, dimension, orderBy, pageSize: 2 };
            let pageToken = "";
            const values: string[] = [];
            do {
              const page = await app.clients.analytics.getBreakdown({ ...request, pageToken });
              expect(page.valueCount).to.equal(BigInt(plain.length));
              if (all) expect(exactOf(page.total)).to.deep.equal(all.figures.exact);
              for (const row of page.rows) {
                const expected = plain[values.length];
                values.push(row.value);
                expectFigures(row.figures, expected!.figures);
                for (const [share, measure] of [
                  [row.costShare, UsageMeasure.COST],
                  [row.tokenShare, UsageMeasure.TOKENS],
                  [row.requestShare, UsageMeasure.REQUESTS],
                ] as const) {
                  const part = measureOf(expected!.figures.exact, measure);
                  const whole = measureOf(all!.figures.exact, measure);
                  expect(share).to.be.closeTo(Number(part) / Number(whole || 1n), 1e-9);
                }
              }
              pageToken = page.nextPageToken;
            } while (pageToken !== "");
            expect(values).to.deep.equal(plain.map((row) => row.keys[0]));
          }
        },
      ),
      { numRuns: 10, endOnFailure: true },
    );
  });

  it("tells the top users as the records do", async () => {
    const question = fc.record({
      range: ranges,
      filters,
      orderBy: measures,
      limit: fc.integer({ min: 1, max: 4 }),
      excludeStandaloneKeys: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.array(question, { minLength: 6, maxLength: 6 }),
        async (written, questions) => {
          await write(written);
          for (const { range, filters: only, ...rest } of questions) {
            const { users } = await app.clients.analytics.getTopUsers({
              ...rangeOf(range),
              ...only,
              ...rest,
            });
            const standalone = rest.excludeStandaloneKeys ? "api_key_id <> 'k1'" : "true";
            const plain = await askRecords(app.database, {
              keys: ["user_id"],
              range,
              filters: only,
              where: `user_id <> '' and ${standalone}`,
            });
            expect(users.map(({ $typeName, ...user }) => user)).to.deep.equal(
              ranked(plain, rest.orderBy)
                .slice(0, rest.limit)
                .map(({ keys: [userId], figures: { exact } }) => ({
                  userId,
                  email: userId === "u1" ? "one@example.com" : "",
                  username: userId === "u1" ? "One" : "",
                  requests: exact.requests,
                  tokens: measureOf(exact, UsageMeasure.TOKENS),
                  costNanoUsd: measureOf(exact, UsageMeasure.COST),
                  actualCostNanoUsd: exact.actualCostNanoUsd,
                })),
            );
          }
        },
      ),
      { numRuns: 10, endOnFailure: true },
    );
  });

  it("answers for the hours before the end of the running quarter-hour", async () => {
    const { startTime, endTime } = await app.clients.analytics.getTopUsers({ hours: 3 });
    expect(Number(endTime?.seconds) % 900).to.equal(0);
    expect(Number(endTime?.seconds) - Date.now() / 1_000).to.be.within(-1, 900);
    expect(Number(endTime?.seconds) - Number(startTime?.seconds)).to.equal(3 * 3_600);
  });

  it("is told apart by provider and model unless it is asked otherwise", async () => {
    const [content] = fc.sample(contents, 1);
    await write({ first: [{ ...content!, status: "COMPLETED" }], revised: [] });
    const { rows } = await app.clients.analytics.getUsageSummary({ hours: 87_840 });
    expect(rows.map(({ provider, model, userId }) => [provider, model, userId])).to.deep.equal([
      [content!.provider, content!.model, ""],
    ]);
  });

  const time = toProtoTime(Date.UTC(2026, 0, 1) * 1_000);
  for (const [what, field, request] of [
    ["a zone that is none", "time_zone", { timeZone: "Mars/Olympus" }],
    ["an offset for a zone", "time_zone", { timeZone: "+02:00" }],
    ["an empty range", "end_time", { startTime: time, endTime: time }],
    ["both a start and hours", "hours", { startTime: time, hours: 3 }],
    ["too many periods", "group_by", { hours: 20_000, groupBy: HOUR }],
    ["TAG as a dimension", "dimensions", { dimensions: [UsageDimension.TAG] }],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { message } = await rpcFailure(
        app.clients.analytics.getUsageSummary({
          ...request,
          dimensions: [...("dimensions" in request ? request.dimensions : [])],
        }),
      );
      expect(message).to.include(field);
    });
  }

  it("refuses the page of another question", async () => {
    const first = await fc.sample(contents, 40);
    await write({ first, revised: [] });
    const question = { hours: 87_840, dimension: UsageDimension.MODEL, pageSize: 1 };
    const { nextPageToken } = await app.clients.analytics.getBreakdown(question);
    expect(nextPageToken).not.to.equal("");
    for (const other of [
      { ...question, userId: "u1", pageToken: nextPageToken },
      { ...question, pageToken: "bm9uc2Vuc2U" },
    ]) {
      const { message } = await rpcFailure(app.clients.analytics.getBreakdown(other));
      expect(message).to.include("page_token");
    }
  });
});

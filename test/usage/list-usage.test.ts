import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { type UsageRecord, UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import {
  type ListUsageRequest,
  type ListUsageRequestSchema,
  UsageOrder,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import { createListStore } from "../../src/usage/list-store.js";
import type { PageCursor } from "../../src/usage/page-token.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { USAGE_CATALOG, type UsageInit, usage } from "./usage-fixture.js";

type ListInit = Exclude<MessageInitShape<typeof ListUsageRequestSchema>, ListUsageRequest>;

const { CREATE_TIME_DESC, CREATE_TIME_ASC, COST_DESC, COST_ASC } = UsageOrder;

const START_MS = Date.parse("2026-03-30T12:00:00Z");
const HOUR_MS = 3_600_000;

/** Two months of records, two at each moment, that differ in everything that one can filter by. */
const RECORDS: readonly UsageInit[] = Array.from({ length: 72 }, (_, index) => ({
  requestId: `listed-${String((index * 37) % 100).padStart(2, "0")}`,
  userId: `u${index % 3}`,
  apiKeyId: `k${index % 2}`,
  provider: index % 5 === 0 ? "free" : "acme",
  model: index % 4 === 0 ? "unknown" : "sonnet",
  apiFormat: index % 6 === 0 ? "OPENAI" : "CLAUDE",
  status: 1 + (index % 4),
  inputTokens: BigInt((index * 7) % 11),
  createTime: timestampFromMs(START_MS + Math.floor(index / 2) * HOUR_MS),
}));

const FILTERS: Readonly<Record<string, readonly [ListInit, (record: UsageRecord) => boolean]>> = {
  nothing: [{}, () => true],
  "a user": [{ userId: "u1" }, ({ userId }) => userId === "u1"],
  "a key": [{ apiKeyId: "k1" }, ({ apiKeyId }) => apiKeyId === "k1"],
  "a user and a key": [
    { userId: "u1", apiKeyId: "k1" },
    ({ userId, apiKeyId }) => userId === "u1" && apiKeyId === "k1",
  ],
  "a provider": [{ provider: "free" }, ({ provider }) => provider === "free"],
  "a model": [{ model: "unknown" }, ({ model }) => model === "unknown"],
  "an API format": [{ apiFormat: "OPENAI" }, ({ apiFormat }) => apiFormat === "OPENAI"],
  "a status": [{ statuses: [4] }, ({ status }) => status === UsageStatus.FAILED],
  "active ones of a user": [
    { userId: "u2", statuses: [1, 2] },
    ({ userId, status }) => userId === "u2" && status <= 2,
  ],
  "a start": [
    { startTime: timestampFromMs(START_MS + 9 * HOUR_MS) },
    ({ createTime }) => Number(createTime!.seconds) * 1_000 >= START_MS + 9 * HOUR_MS,
  ],
  "an end": [
    { endTime: timestampFromMs(START_MS + 9 * HOUR_MS) },
    ({ createTime }) => Number(createTime!.seconds) * 1_000 < START_MS + 9 * HOUR_MS,
  ],
  "a least cost": [{ minCostNanoUsd: 15_000n }, ({ cost }) => cost!.totalNanoUsd >= 15_000n],
  nobody: [{ userId: "nobody" }, () => false],
};

describe("ListUsage", () => {
  let app: TestApp;
  let all: UsageRecord[];

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
    const requests = RECORDS.map((fields) => ({ usage: usage(fields) }));
    const { results } = await app.clients.recorder.batchRecordUsage({ requests });
    all = results.map(({ result }) => (result.case === "response" ? result.value.record! : fail()));
  });
  after(() => app.stop());

  /** Everything that a question answers, page by page. */
  async function listAll(request: ListInit, onPage = async () => {}): Promise<UsageRecord[]> {
    const found: UsageRecord[] = [];
    let pageToken = "";
    do {
      const page = await app.clients.recorder.listUsage({ pageSize: 7, ...request, pageToken });
      expect(page.records.length).to.be.at.most(request.pageSize ?? 7);
      found.push(...page.records);
      pageToken = page.nextPageToken;
      await onPage();
    } while (pageToken !== "");
    return found;
  }

  for (const [what, [filter, passes]] of Object.entries(FILTERS)) {
    for (const orderBy of [CREATE_TIME_DESC, CREATE_TIME_ASC, COST_DESC, COST_ASC]) {
      it(`lists those of ${what} in the order ${UsageOrder[orderBy]}`, async () => {
        const isByCost = orderBy === COST_DESC || orderBy === COST_ASC;
        const range = {
          startTime: timestampFromMs(START_MS),
          endTime: timestampFromMs(START_MS + 30 * 24 * HOUR_MS),
        };
        const found = await listAll({ ...(isByCost ? range : {}), ...filter, orderBy });
        const expected = all.filter(passes).sort((a, b) => compare(a, b, orderBy));
        expect(found.map(idOf)).to.deep.equal(expected.map(idOf));
        for (const record of found)
          expect(record).to.deep.equal(all.find((one) => idOf(one) === idOf(record)));
      });
    }
  }

  it("looks at so many records a page, and goes on with the next where it ended", async () => {
    const store = createListStore(app.database, 10);
    const filter = {
      userId: "",
      apiKeyId: "",
      provider: "free",
      model: "",
      apiFormat: "",
      statuses: [],
      startTimeUs: START_MS * 1_000,
      endTimeUs: (START_MS + 36 * HOUR_MS) * 1_000,
      minCostNanoUsd: undefined,
    };
    const found: string[] = [];
    const sizes: number[] = [];
    let after: PageCursor | undefined;
    do {
      const order = "CREATE_TIME_ASC";
      const page = await store.list({ filter, order, after, limit: 50 });
      found.push(...page.records.map(({ requestId }) => requestId));
      sizes.push(page.records.length);
      after = page.next;
    } while (after);
    const expected = all.filter(({ provider }) => provider === "free");
    expect(found).to.deep.equal(expected.sort((a, b) => compare(a, b, CREATE_TIME_ASC)).map(idOf));
    expect(sizes).to.deep.equal([2, 2, 2, 2, 2, 2, 2, 1]);
  });

  it("shows every record once while others come before, between and after", async () => {
    for (const orderBy of [CREATE_TIME_DESC, CREATE_TIME_ASC]) {
      const userId = uniqueId("user");
      const told = (index: number) =>
        usage({ userId, createTime: timestampFromMs(START_MS + index * 1_000) });
      const first = Array.from({ length: 40 }, (_, index) => told(index * 10));
      const { recorder } = app.clients;
      await recorder.batchRecordUsage({ requests: first.map((input) => ({ usage: input })) });
      let added = 0;
      const found = await listAll({ userId, orderBy }, async () => {
        const others = [-50, 5, 155, 255, 395, 900].map((index) => told(index + added));
        added += 1;
        await recorder.batchRecordUsage({ requests: others.map((input) => ({ usage: input })) });
      });
      const ids = found.map(idOf);
      expect(new Set(ids).size).to.equal(ids.length);
      expect(ids).to.include.members(first.map(({ requestId }) => requestId));
    }
  });

  it("takes a token for its own filters and order only, whatever the page size", async () => {
    const { recorder } = app.clients;
    const asked: ListInit = { userId: "u1", statuses: [3, 4], pageSize: 2 };
    const { nextPageToken: pageToken } = await recorder.listUsage(asked);
    expect(pageToken).to.match(/^[\w-]+$/);
    const next = await recorder.listUsage({ ...asked, statuses: [4, 3], pageSize: 3, pageToken });
    expect(next.records.length).to.equal(3);
    const wrong: ListInit[] = [
      { ...asked, userId: "u2", pageToken },
      { ...asked, orderBy: CREATE_TIME_ASC, pageToken },
      { ...asked, minCostNanoUsd: 0n, pageToken },
      { ...asked, pageToken: "nonsense" },
      { ...asked, pageToken: Buffer.from("[1,2,3,4]").toString("base64url") },
      { ...asked, pageToken: pageToken.slice(0, -4) },
    ];
    for (const request of wrong) {
      const error = await rpcFailure(recorder.listUsage(request));
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("page_token");
    }
  });

  it("wants a short range to order by cost, and a range that is one", async () => {
    const at = (days: number) => timestampFromMs(START_MS + days * 24 * HOUR_MS);
    const wrong: [string, ListInit][] = [
      ["start_time", { orderBy: COST_DESC }],
      ["start_time", { orderBy: COST_ASC, startTime: at(0), endTime: at(32) }],
      ["end_time", { startTime: at(1), endTime: at(1) }],
    ];
    for (const [field, request] of wrong) {
      const error = await rpcFailure(app.clients.recorder.listUsage(request));
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal(field);
    }
  });
});

function idOf({ requestId }: UsageRecord): string {
  return requestId;
}

function compare(a: UsageRecord, b: UsageRecord, order: UsageOrder): number {
  const costs = order === COST_DESC || order === COST_ASC;
  const keys = (record: UsageRecord) => [
    costs ? record.cost!.totalNanoUsd : 0n,
    record.createTime!.seconds,
    record.requestId,
  ];
  const [left, right] = [keys(a), keys(b)];
  const at = left.findIndex((key, index) => key !== right[index]);
  const sign = order === CREATE_TIME_DESC || order === COST_DESC ? -1 : 1;
  return at === -1 ? 0 : left[at]! < right[at]! ? -sign : sign;
}

function fail(): never {
  throw new Error("a record was refused");
}

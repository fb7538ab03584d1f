import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  ApiKeyKind,
  AuditAction,
  type ListAuditLogRequestSchema,
  RequestLogLevel,
} from "../../gen/tally/v1/catalog_pb.js";
import { BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";

describe("The audit log", () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startTestApp();
  });
  afterEach(() => app.stop());

  const list = async (request: MessageInitShape<typeof ListAuditLogRequestSchema> = {}) =>
    (await app.clients.catalog.listAuditLog(request)).entries;

  const names = async (request: MessageInitShape<typeof ListAuditLogRequestSchema> = {}) =>
    (await list(request)).map(({ method, resourceType, resourceId, action }) =>
      [method, resourceType, resourceId, AuditAction[action]].join(" "),
    );

  it("tells of every change by whatever call, the newest first", async () => {
    const { catalog } = app.clients;
    await app.apply({
      users: [{ userId: "alice" }],
      apiKeys: [{ apiKeyId: "k", kind: ApiKeyKind.STANDALONE }],
      settings: { requestLogLevel: RequestLogLevel.FULL },
    });
    await catalog.updateUser({ user: { userId: "alice", username: "Alice" } });
    await catalog.updateUser({ user: { userId: "alice", username: "Alice" } });
    await catalog.updateSettings({ settings: { maxRequestBodySize: 7 } });
    const { budgetId } = await catalog.topUpApiKey({
      apiKeyId: "k",
      amountNanoUsd: 5n,
      requestId: "r",
    });
    await catalog.resetBudget({ budgetId });
    await catalog.deleteUser({ userId: "alice" });
    await rpcFailure(catalog.deleteUser({ userId: "alice" }));
    expect(await names()).to.deep.equal([
      "DeleteUser user alice DELETED",
      `ResetBudget budget ${budgetId} UPDATED`,
      `TopUpApiKey budget ${budgetId} CREATED`,
      "UpdateSettings settings settings UPDATED",
      "UpdateUser user alice UPDATED",
      "ApplyCatalog settings settings UPDATED",
      "ApplyCatalog api_key k CREATED",
      "ApplyCatalog user alice CREATED",
    ]);
    await catalog.importPrices({ providers: ["anthropic"] });
    const imported = await list({ resourceType: "model_price" });
    expect(imported[0]).to.deep.include({ method: "ImportPrices", action: AuditAction.CREATED });
    const before = (await list()).length;
    await catalog.importPrices({ providers: ["openai"], dryRun: true });
    await catalog.applyCatalog({ document: { users: [{ userId: "dry" }] }, dryRun: true });
    expect((await list()).length).to.equal(before);
  });

  it("holds who, by which call, and the entry before and after", async () => {
    const { catalog } = app.clients;
    await catalog.createBudget({
      budget: { budgetId: "b", scope: BudgetScope.GLOBAL, limit: 2n ** 59n },
    });
    await catalog.updateBudget({ budget: { budgetId: "b", limit: 1n } });
    const [changed, created] = await list({ resourceType: "budget", resourceId: "b" });
    expect(changed?.actor).to.equal("local");
    expect(changed?.requestId).to.match(/^[\w-]{36}$/);
    expect(Number(changed?.eventTime?.seconds)).to.be.closeTo(Date.now() / 1_000, 60);
    expect(created?.before).to.equal(undefined);
    expect(created?.after).to.deep.include({ scope: "GLOBAL", limit: String(2n ** 59n) });
    expect(changed?.before).to.deep.equal(created?.after);
    expect(changed?.after).to.deep.equal({ ...created?.after, limit: "1" });
  });

  it("holds no secret: neither the key of reservations, nor what base URLs carry", async () => {
    const { catalog } = app.clients;
    const { rows } = await app.database.knex.raw(
      "select value #>> '{}' as secret from settings where key = 'reservation_key'",
    );
    await app.apply({
      providers: [{ provider: "p" }],
      providerEndpoints: [
        {
          providerEndpointId: "e",
          provider: "p",
          baseUrl: "https://root:hunter2@p.example.com/v1?api-version=3secret&key=sk-12345#x",
        },
      ],
      settings: { requestLogLevel: RequestLogLevel.HEADERS },
    });
    await catalog.updateSettings({ settings: {}, updateMask: { paths: ["*"] } });
    await catalog.deleteProviderEndpoint({ providerEndpointId: "e" });
    const [gone] = await list({ resourceType: "provider_endpoint" });
    expect(gone?.before?.base_url).to.equal(
      "https://****@p.example.com/v1?api-version=****&key=****#x",
    );
    const { rows: all } = await app.database.knex.raw(
      "select to_jsonb(a)::text as row from audit_log a",
    );
    const text = all.map(({ row }: { row: string }) => row).join("\n");
    expect(text).to.contain("p.example.com");
    for (const secret of ["hunter2", "sk-12345", rows[0].secret]) {
      expect(text).to.not.contain(secret);
    }
  });

  it("is written with the change or not at all", async () => {
    const { catalog } = app.clients;
    const { knex } = app.database;
    await knex.raw("alter table audit_log add constraint broken check (actor <> 'local')");
    const error = await rpcFailure(catalog.createUser({ user: { userId: "alice" } }));
    expect(error.code).to.equal(Code.INTERNAL);
    expect((await rpcFailure(catalog.getUser({ userId: "alice" }))).code).to.equal(Code.NOT_FOUND);
    await knex.raw("alter table audit_log drop constraint broken");
    await catalog.createUser({ user: { userId: "alice" } });
    expect(await names()).to.deep.equal(["CreateUser user alice CREATED"]);
  });

  it("is filtered by resource, actor and time", async () => {
    const { catalog } = app.clients;
    await catalog.createUser({ user: { userId: "a" } });
    await catalog.createModel({ model: { model: "a" } });
    const [last] = await list();
    const at = last!.eventTime!;
    const ms = Number(at.seconds) * 1_000 + Math.floor(at.nanos / 1e6);
    expect(await names({ resourceId: "a", resourceType: "model" })).to.have.length(1);
    expect(await names({ resourceId: "a" })).to.have.length(2);
    expect(await names({ actor: "somebody" })).to.deep.equal([]);
    expect(await names({ startTime: timestampFromMs(ms + 1_000) })).to.deep.equal([]);
    expect(await names({ endTime: timestampFromMs(ms - 60_000) })).to.deep.equal([]);
    const all = { startTime: timestampFromMs(ms - 60_000), endTime: timestampFromMs(ms + 1_000) };
    expect(await names(all)).to.have.length(2);
    const error = await rpcFailure(list({ resourceType: "users" }));
    expect(error.code).to.equal(Code.INVALID_ARGUMENT);
  });

  it("is paged without repetition while it grows, and by tokens for one question only", async () => {
    const { catalog } = app.clients;
    for (const userId of ["1", "2", "3"]) await catalog.createUser({ user: { userId } });
    const first = await catalog.listAuditLog({ pageSize: 2, resourceType: "user" });
    await catalog.createUser({ user: { userId: "4" } });
    const { nextPageToken: pageToken } = first;
    const second = await catalog.listAuditLog({ pageSize: 2, resourceType: "user", pageToken });
    const ids = [...first.entries, ...second.entries].map(({ resourceId }) => resourceId);
    expect(ids).to.deep.equal(["3", "2", "1"]);
    expect(second.nextPageToken).to.equal("");
    for (const call of [
      () => catalog.listAuditLog({ pageToken }),
      () => catalog.listUsers({ pageToken }),
      () => catalog.listUsers({ pageToken: "nonsense" }),
    ]) {
      const error = await rpcFailure(call());
      expect(error.code).to.equal(Code.INVALID_ARGUMENT);
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("page_token");
    }
  });
});

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  ApiKeyKind,
  BillingType,
  CatalogChangeKind,
  FailedRequestBilling,
  OnUnavailable,
  RequestLogLevel,
  UnpricedModelPolicy,
  UserRole,
} from "../../gen/tally/v1/catalog_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../../gen/tally/v1/usage_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { type CatalogServer, startCatalogServer } from "./catalog-server.js";

describe("Catalog service", () => {
  let server: CatalogServer;

  before(async () => {
    server = await startCatalogServer();
  });
  after(() => server.stop());

  type Document = NonNullable<Parameters<typeof server.client.applyCatalog>[0]["document"]>;

  async function failure(call: Promise<unknown>): Promise<RpcError> {
    const error = await call.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof RpcError) return error;
    throw new Error(`no RpcError but ${String(error)}`);
  }

  it("shows every field of a document in the directory by the time that it answers", async () => {
    const time = timestampFromMs(Date.UTC(2027, 0, 31));
    const document: Document = {
      users: [
        {
          userId: "alice",
          email: "alice@example.com",
          username: "Alice",
          role: UserRole.ADMIN,
          active: false,
          expireTime: time,
          allowedModels: ["m"],
          allowedProviders: ["p"],
        },
      ],
      apiKeys: [
        {
          apiKeyId: "key",
          userId: "alice",
          kind: ApiKeyKind.STANDALONE,
          name: "Key",
          active: false,
          expireTime: time,
          allowedModels: ["m"],
          allowedProviders: ["p"],
        },
      ],
      providers: [
        {
          provider: "p",
          displayName: "P",
          billingType: BillingType.FREE_TIER,
          failedRequestBilling: FailedRequestBilling.PROMPT_ONLY,
        },
      ],
      providerEndpoints: [
        {
          providerEndpointId: "e",
          provider: "p",
          baseUrl: "https://p.example.com",
          apiFormat: "CLAUDE",
          active: false,
          requestTimeout: { seconds: 90n, nanos: 500_000_000 },
        },
      ],
      providerKeys: [
        {
          providerKeyId: "pk",
          provider: "p",
          providerEndpointId: "e",
          name: "PK",
          rateMultiplier: "0.850",
          active: false,
        },
      ],
      models: [{ model: "m", displayName: "M", active: true }],
      prices: [
        {
          model: "m",
          provider: "p",
          effectiveTime: time,
          price: {
            requestNanoUsd: 5n,
            tiers: [
              {
                upToTokens: 200_000n,
                inputNanoUsdPerMillion: 1n,
                outputNanoUsdPerMillion: 2n,
                cacheCreationNanoUsdPerMillion: 3n,
                cacheReadNanoUsdPerMillion: 0n,
                cacheTtlPricing: [{ ttlMinutes: 60, cacheCreationNanoUsdPerMillion: 4n }],
              },
              { inputNanoUsdPerMillion: 6n, outputNanoUsdPerMillion: 7n },
            ],
          },
        },
      ],
      budgets: [
        {
          budgetId: "b",
          scope: BudgetScope.API_KEY,
          subject: "key",
          measure: BudgetMeasure.REQUESTS,
          limit: 0n,
          window: {
            kind: BudgetWindowKind.EVERY_N_DAYS,
            timeZone: "Europe/Berlin",
            days: 30,
            anchorTime: time,
          },
          enforcement: BudgetEnforcement.SOFT,
          alertPercents: [100, 80],
          expireTime: time,
          onUnavailable: OnUnavailable.ALLOW,
        },
      ],
      settings: {
        requestLogLevel: RequestLogLevel.FULL,
        sensitiveHeaders: ["X-Team"],
        maxRequestBodySize: 0,
        maxResponseBodySize: 7,
        unpricedModelPolicy: UnpricedModelPolicy.ALLOW,
        bodyRetentionDays: 0,
        headerRetentionDays: 1,
        recordRetentionDays: 2,
        keyRetentionDays: 3,
      },
    };
    const { changes, unchangedCount, dryRun } = await server.client.applyCatalog({ document });
    expect(changes.map(({ collection, id }) => `${collection} ${id}`)).to.deep.equal([
      "users alice",
      "api_keys key",
      "providers p",
      "provider_endpoints e",
      "provider_keys pk",
      "models m",
      "prices m@p>2027-01-31T00:00:00.000Z",
      "budgets b",
      "settings settings",
    ]);
    expect(changes[0]?.kind).to.equal(CatalogChangeKind.CREATED);
    expect({ unchangedCount, dryRun }).to.deep.equal({ unchangedCount: 0, dryRun: false });
    const { directory, priceBook } = server;
    const expireTimeMs = Date.UTC(2027, 0, 31);
    const allowed = { allowedModels: new Set(["m"]), allowedProviders: new Set(["p"]) };
    expect(directory.user("alice")).to.deep.equal({
      userId: "alice",
      email: "alice@example.com",
      username: "Alice",
      role: "ADMIN",
      active: false,
      expireTimeMs,
      ...allowed,
    });
    expect(directory.apiKey("key")).to.deep.equal({
      apiKeyId: "key",
      userId: "alice",
      kind: "STANDALONE",
      name: "Key",
      active: false,
      expireTimeMs,
      ...allowed,
    });
    expect(directory.provider("p")).to.deep.equal({
      provider: "p",
      displayName: "P",
      active: true,
      billingType: "FREE_TIER",
      failedRequestBilling: "PROMPT_ONLY",
    });
    expect(directory.providerEndpoint("e")).to.deep.equal({
      providerEndpointId: "e",
      provider: "p",
      baseUrl: "https://p.example.com",
      apiFormat: "CLAUDE",
      active: false,
      requestTimeoutMs: 90_500,
    });
    expect(directory.providerKey("pk")).to.deep.equal({
      providerKeyId: "pk",
      provider: "p",
      providerEndpointId: "e",
      name: "PK",
      rateMultiplier: "0.85",
      active: false,
    });
    expect(directory.model("m")).to.deep.equal({ model: "m", displayName: "M", active: true });
    expect(directory.budget("b")).to.deep.equal({
      budgetId: "b",
      scope: "API_KEY",
      subject: "key",
      measure: "REQUESTS",
      limit: 0n,
      window: { kind: "EVERY_N_DAYS", timeZone: "Europe/Berlin", days: 30, anchorMs: expireTimeMs },
      enforcement: "SOFT",
      alertPercents: [80, 100],
      expireTimeMs,
      onUnavailable: "ALLOW",
      active: true,
    });
    expect(directory.settings).to.deep.include({
      requestLogLevel: "FULL",
      maxRequestBodySize: 0,
      maxResponseBodySize: 7,
      unpricedModelPolicy: "ALLOW",
      bodyRetentionDays: 0,
      headerRetentionDays: 1,
      recordRetentionDays: 2,
      keyRetentionDays: 3,
    });
    expect(directory.settings.sensitiveHeaders.has("x-team")).to.equal(true);
    const { lookup } = priceBook.findTerms({ model: "m", provider: "p", atMs: expireTimeMs });
    expect(lookup).to.deep.include({ outcome: "PRICED" });
    expect(lookup.outcome === "PRICED" && lookup.version.price).to.deep.equal({
      requestNanoUsd: 5n,
      tiers: [
        {
          upToTokens: 200_000,
          inputNanoUsdPerMillion: 1n,
          outputNanoUsdPerMillion: 2n,
          cacheCreationNanoUsdPerMillion: 3n,
          cacheReadNanoUsdPerMillion: 0n,
          cacheTtlPricing: [{ ttlMinutes: 60, cacheCreationNanoUsdPerMillion: 4n }],
        },
        { inputNanoUsdPerMillion: 6n, outputNanoUsdPerMillion: 7n, cacheTtlPricing: [] },
      ],
    });
    const again = await server.client.applyCatalog({ document });
    expect(again.changes).to.deep.equal([]);
    expect(again.unchangedCount).to.equal(9);
  });

  it("fills in the defaults of what is not given", async () => {
    await server.client.applyCatalog({
      document: {
        users: [{ userId: "plain" }],
        apiKeys: [{ apiKeyId: "plain", userId: "plain" }],
        providers: [{ provider: "plain" }],
        providerKeys: [{ providerKeyId: "plain", provider: "plain" }],
        prices: [
          {
            model: "plain",
            effectiveTime: { seconds: -62_135_596_800n, nanos: 0 },
            price: { tiers: [{}] },
          },
        ],
        budgets: [{ budgetId: "plain", scope: BudgetScope.GLOBAL }],
      },
    });
    const { directory } = server;
    expect(directory.user("plain")).to.deep.include({
      role: "USER",
      active: true,
      expireTimeMs: null,
      allowedModels: undefined,
      allowedProviders: undefined,
    });
    expect(directory.apiKey("plain")).to.deep.include({ kind: "ORDINARY", active: true });
    expect(directory.provider("plain")).to.deep.include({
      active: true,
      billingType: "PAY_AS_YOU_GO",
      failedRequestBilling: "USAGE",
    });
    expect(directory.providerKey("plain")?.rateMultiplier).to.equal("1");
    const lookup = server.priceBook.findTerms({ model: "plain", atMs: -1e15 }).lookup;
    expect(lookup.outcome === "PRICED" && lookup.version.priceId).to.equal("plain@*");
    expect(directory.budget("plain")).to.deep.include({
      measure: "COST",
      limit: null,
      window: { kind: "LIFETIME", timeZone: "UTC" },
      enforcement: "HARD",
      onUnavailable: "DENY",
      active: true,
    });
  });

  it("answers a dry run with the same changes and writes nothing", async () => {
    const document: Document = { users: [{ userId: "dry", username: "Dry" }] };
    const dry = await server.client.applyCatalog({ document, dryRun: true });
    expect(dry.dryRun).to.equal(true);
    expect(dry.changes[0]?.fields.map(({ field, after }) => [field, after])).to.deep.equal([
      ["username", '"Dry"'],
      ["role", '"USER"'],
      ["active", "true"],
    ]);
    expect(server.directory.user("dry")).to.equal(undefined);
    const real = await server.client.applyCatalog({ document });
    expect(real.changes).to.deep.equal(dry.changes);
    expect(server.directory.user("dry")?.username).to.equal("Dry");
  });

  it("refuses a wrong document with every fault and its path", async () => {
    const error = await failure(
      server.client.applyCatalog({
        document: {
          apiKeys: [{ apiKeyId: "lost", userId: "nobody" }],
          budgets: [
            {
              budgetId: "b1",
              scope: BudgetScope.TAG,
              subject: "team",
              window: { timeZone: "Mars/Olympus" },
            },
          ],
        },
      }),
    );
    expect([error.code, error.reason]).to.deep.equal([Code.INVALID_ARGUMENT, "CATALOG_INVALID"]);
    const fields = error.details.badRequest?.fieldViolations.map(({ field }) => field);
    expect(fields).to.deep.equal([
      "document.api_keys[0].user_id",
      "document.budgets[0].subject",
      "document.budgets[0].window.time_zone",
    ]);
    expect(server.directory.apiKey("lost")).to.equal(undefined);
  });

  it("refuses what breaks the contract, before anything else", async () => {
    const error = await failure(
      server.client.applyCatalog({ document: { users: [{ userId: "" }], budgets: [{}] } }),
    );
    expect([error.code, error.reason]).to.deep.equal([Code.INVALID_ARGUMENT, "INVALID_FIELD"]);
    expect(error.details.badRequest?.fieldViolations.map(({ field }) => field)).to.deep.equal([
      "document.users[0].user_id",
      "document.budgets[0].budget_id",
      "document.budgets[0].scope",
    ]);
    const missing = await failure(server.client.applyCatalog({}));
    expect(missing.code).to.equal(Code.INVALID_ARGUMENT);
  });

  it("imports prices and tells what it left out", async () => {
    const request = { providers: ["anthropic"] };
    const dry = await server.client.importPrices({ ...request, dryRun: true });
    expect(dry.createdCount).to.be.above(10);
    const atMs = Date.UTC(2026, 0, 1);
    const lookup = () =>
      server.priceBook.findTerms({ model: "claude-sonnet-4-5", atMs }).lookup.outcome;
    expect(lookup()).to.equal("NO_PRICE");
    const real = await server.client.importPrices(request);
    expect(real.createdCount).to.equal(dry.createdCount);
    expect(real.collectionVersion).to.match(/^\d+\.\d+\.\d+$/);
    expect(lookup()).to.equal("PRICED");
    const again = await server.client.importPrices(request);
    expect([again.createdCount, again.updatedCount]).to.deep.equal([0, 0]);
    expect(again.unchangedCount).to.equal(real.createdCount);
    const openai = await server.client.importPrices({ providers: ["openai"], dryRun: true });
    expect(openai.skipped[0]).to.deep.include({ provider: "openai" });
    expect(openai.skipped[0]?.reason).to.match(/^[A-Z_]+: ./);
    const error = await failure(server.client.importPrices({ providers: ["anthropoid"] }));
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("providers[0]");
  });
});

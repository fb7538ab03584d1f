import { readFile } from "node:fs/promises";
import { toJson } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import { CatalogDocumentSchema } from "../../../gen/tally/v1/catalog_pb.js";
import { readCatalogFile } from "../../../src/cli/catalog-file/catalog-file.js";
import { CatalogFileError } from "../../../src/cli/catalog-file/problem.js";
import { formatScaled } from "../../../src/pricing/money.js";

/** The document as protobuf's JSON, in the contract's spelling. */
function read(text: string): unknown {
  const { document } = readCatalogFile(text);
  return toJson(CatalogDocumentSchema, document, { useProtoFieldName: true });
}

function problemsOf(text: string): string[] {
  try {
    readCatalogFile(text);
  } catch (error) {
    if (error instanceof CatalogFileError) return error.message.split("\n");
    throw error;
  }
  return [];
}

const budgetWith = (line: string) => `budgets:\n  - budget_id: b\n    ${line}\n`;
const priceWith = (line: string) => `prices:\n  - model: m\n    price: { tiers: [{ ${line} }] }\n`;

describe("readCatalogFile", () => {
  it("reads every kind of entry", () => {
    expect(
      read(`
users:
  - user_id: alice
    role: ADMIN
    active: false
    expire_time: 2027-01-31T09:00:00+01:00
    allowed_models: [a, "b c"]
api_keys:
  - { api_key_id: key, kind: STANDALONE }
provider_endpoints:
  - provider_endpoint_id: e
    request_timeout: 1.5s
budgets:
  - budget_id: b
    scope: TAG
    subject: team=a
    measure: TOKENS
    limit: 50_000_000
    window: { kind: EVERY_N_DAYS, days: 30, anchor_time: 2026-01-15 }
    alert_percents: [80, 100]
settings:
  request_log_level: FULL
  max_request_body_size: 0
`),
    ).to.deep.equal({
      users: [
        {
          user_id: "alice",
          role: "USER_ROLE_ADMIN",
          active: false,
          expire_time: "2027-01-31T08:00:00Z",
          allowed_models: ["a", "b c"],
        },
      ],
      api_keys: [{ api_key_id: "key", kind: "API_KEY_KIND_STANDALONE" }],
      provider_endpoints: [{ provider_endpoint_id: "e", request_timeout: "1.500s" }],
      budgets: [
        {
          budget_id: "b",
          scope: "BUDGET_SCOPE_TAG",
          subject: "team=a",
          measure: "BUDGET_MEASURE_TOKENS",
          limit: "50000000",
          window: {
            kind: "BUDGET_WINDOW_KIND_EVERY_N_DAYS",
            days: 30,
            anchor_time: "2026-01-15T00:00:00Z",
          },
          alert_percents: [80, 100],
        },
      ],
      settings: { request_log_level: "REQUEST_LOG_LEVEL_FULL", max_request_body_size: 0 },
    });
  });

  it("takes camelCase, full enum names in any case, JSON, and what an alias stands for", () => {
    const expected = {
      api_keys: [{ api_key_id: "k", kind: "API_KEY_KIND_STANDALONE", allowed_models: ["m"] }],
    };
    const json = '{"apiKeys": [{"apiKeyId": "k", "kind": "standalone", "allowedModels": ["m"]}]}';
    expect(read(json)).to.deep.equal(expected);
    const yaml = `
users: [{ user_id: u, allowed_models: &models [m] }]
api_keys: [{ api_key_id: k, kind: API_KEY_KIND_STANDALONE, allowed_models: *models }]`;
    expect(read(yaml)).to.deep.include(expected);
  });

  it("takes texts as they are written, whatever else YAML could see in them", () => {
    expect(
      read(`
users:
  - user_id: 0012
    username: true
  - user_id: "null"
    email: 1.50
provider_keys:
  - provider_key_id: 1e3
    rate_multiplier: 0.850
`),
    ).to.deep.equal({
      users: [
        { user_id: "0012", username: "true" },
        { user_id: "null", email: "1.50" },
      ],
      provider_keys: [{ provider_key_id: "1e3", rate_multiplier: "0.850" }],
    });
  });

  it("is an empty document where nothing is written", () => {
    for (const text of ["", "# nothing\n", "users:\nbudgets: []\nsettings:\n", "{}"]) {
      expect(read(text), text).to.satisfy((json: object) =>
        Object.values(json).every((value) => JSON.stringify(value) === "{}"),
      );
    }
  });

  describe("money", () => {
    const limitOf = (text: string) =>
      readCatalogFile(budgetWith(`limit_usd: ${text}`)).document.budgets[0]?.limit;

    for (const [text, nanoUsd] of [
      ["20", 20_000_000_000n],
      ["0.1", 100_000_000n],
      ['"0.30"', 300_000_000n],
      ["0.000000001", 1n],
      ["9007199.254740993", 9_007_199_254_740_993n],
      ["9223372036.854775807", 9_223_372_036_854_775_807n],
      ["1_000.5", 1_000_500_000_000n],
      ["1e3", 1_000_000_000_000n],
      ["0", 0n],
    ] as const) {
      it(`reads ${text} dollars exactly`, () => {
        expect(limitOf(text)).to.equal(nanoUsd);
      });
    }

    it("reads any amount exactly from its text", () => {
      fc.assert(
        fc.property(fc.bigInt({ min: 0n, max: 9_223_372_036_854_775_807n }), (nanoUsd) => {
          expect(limitOf(formatScaled(nanoUsd, 9))).to.equal(nanoUsd);
        }),
      );
    });

    it("is in dollars under every key with usd, in snake_case and camelCase", () => {
      const text = `
prices:
  - model: m
    price:
      request_usd: 0.005
      tiers:
        - input_usd_per_million: 2.5
          outputUsdPerMillion: 10
          cache_creation_usd_per_million: 0.1
          cacheReadNanoUsdPerMillion: 7
          cache_ttl_pricing:
            - { ttl_minutes: 5, cache_read_usd_per_million: 0.000000003 }
`;
      expect(read(text)).to.deep.equal({
        prices: [
          {
            model: "m",
            price: {
              request_nano_usd: "5000000",
              tiers: [
                {
                  input_nano_usd_per_million: "2500000000",
                  output_nano_usd_per_million: "10000000000",
                  cache_creation_nano_usd_per_million: "100000000",
                  cache_read_nano_usd_per_million: "7",
                  cache_ttl_pricing: [{ ttl_minutes: 5, cache_read_nano_usd_per_million: "3" }],
                },
              ],
            },
          },
        ],
      });
    });
  });

  describe("names what is wrong", () => {
    const DOLLARS = "must be a decimal number of dollars with at most 9 places";
    const TIME = "must be a date or a time with its zone, such as 2026-01-31T09:00:00+01:00";

    for (const [text, ...expected] of [
      [
        "users:\n  - user_id: a\n    roel: ADMIN\n",
        'line 3: users[0]: unknown key "roel"; known are user_id, email, username, role, active, expire_time, allowed_models, allowed_providers',
      ],
      [
        "users: []\nuzers: []\n",
        'line 2: unknown key "uzers"; known are users, api_keys, providers, provider_endpoints, provider_keys, models, prices, budgets, settings',
      ],
      [
        "models:\n  - model: m\n    create_time: 2026-01-01\n",
        'line 3: models[0]: unknown key "create_time"; known are model, display_name, active',
      ],
      [
        "users:\n  - user_id: a\n    role: BOSS\n",
        'line 3: users[0].role: must be one of USER, ADMIN (was "BOSS")',
      ],
      [
        "users:\n  - user_id: a\n    active: yes\n",
        'line 3: users[0].active: must be true or false (was "yes")',
      ],
      [
        "users:\n  - user_id: a\n    expire_time: 2026-01-31 09:00\n",
        `line 3: users[0].expire_time: ${TIME} (was "2026-01-31 09:00")`,
      ],
      [
        "users:\n  - user_id: a\n    expire_time: 2026-13-31\n",
        `line 3: users[0].expire_time: ${TIME} (was "2026-13-31")`,
      ],
      [
        "users:\n  - user_id: a\n    expire_time: 2026-02-30T00:00:00Z\n",
        `line 3: users[0].expire_time: ${TIME} (was "2026-02-30T00:00:00Z")`,
      ],
      ["users: alice\n", "line 1: users: must be a list"],
      ["users:\n  - alice\n", "line 2: users[0]: must be a mapping of keys to values"],
      ["- users\n", "line 1: must be a mapping of keys to values"],
      ["users:\n  - user_id: [a]\n", "line 2: users[0].user_id: must be a single value"],
      [
        "users:\n  - user_id: a\n    allowed_models: *none\n",
        "line 3: users[0].allowed_models: nothing is named by *none",
      ],
      [budgetWith("limit: 1.5"), 'line 3: budgets[0].limit: must be a whole number (was "1.5")'],
      [
        budgetWith("limit: 9223372036854775808"),
        'line 3: budgets[0].limit: must be at most 9223372036854775807 (was "9223372036854775808")',
      ],
      [
        budgetWith("limit_usd: 9223372037"),
        'line 3: budgets[0].limit: must be below 9,223,372,036 dollars (was "9223372037")',
      ],
      [
        budgetWith("limit_usd: 0.0000000001"),
        `line 3: budgets[0].limit: ${DOLLARS} (was "0.0000000001")`,
      ],
      [budgetWith("limit_usd: $5"), `line 3: budgets[0].limit: ${DOLLARS} (was "$5")`],
      [
        budgetWith("limit_usd: 5\n    limit: 5"),
        "line 4: budgets[0]: limit and limit_usd say the same; give one of them",
      ],
      [budgetWith("limit: 5\n    limit: 6"), "line 4: Map keys must be unique"],
      [
        priceWith("input_usd_per_million: 3, output_usd_per_million: , cache_read_usd: 1"),
        'line 3: prices[0].price.tiers[0]: unknown key "cache_read_usd"; known are up_to_tokens, input_usd_per_million, output_usd_per_million, cache_creation_usd_per_million, cache_read_usd_per_million, cache_ttl_pricing',
        "line 3: prices[0].price.tiers[0]: output_usd_per_million is required; 0 is free",
      ],
      [
        priceWith("input_usd_per_million: 0"),
        "line 3: prices[0].price.tiers[0]: output_usd_per_million is required; 0 is free",
      ],
      [
        "provider_endpoints:\n  - provider_endpoint_id: e\n    request_timeout: 90\n",
        'line 3: provider_endpoints[0].request_timeout: must be a duration with its unit, such as 90s or 10m (was "90")',
      ],
      [
        "settings:\n  max_request_body_size: 3000000000\n",
        'line 2: settings.max_request_body_size: must be at most 2147483647 (was "3000000000")',
      ],
    ] as const) {
      it(`in ${JSON.stringify(text)}`, () => {
        expect(problemsOf(text)).to.deep.equal(expected);
      });
    }

    it("all at once, in the order of the file", () => {
      const text = `
users:
  - user_id: a
    role: BOSS
    emial: a@example.com
budgets:
  - budget_id: b
    limit_usd: lots
    window: { kind: YEAR }
models: none
`;
      expect(problemsOf(text).map((line) => line.split(": ").slice(0, 2))).to.deep.equal([
        ["line 4", "users[0].role"],
        ["line 5", "users[0]"],
        ["line 8", "budgets[0].limit"],
        ["line 9", "budgets[0].window.kind"],
        ["line 10", "models"],
      ]);
    });

    it("in the YAML itself, and then nothing else", () => {
      const [first, ...more] = problemsOf('users:\n  - user_id: "a\n    roel: x\n');
      expect(first).to.match(/^line \d: Missing closing "quote/);
      expect(more.every((line) => !line.includes("unknown key"))).to.equal(true);
    });
  });

  it("knows the lines of parts, and of what holds a part that is not there", () => {
    const { lineOf } = readCatalogFile(`budgets:
  - budget_id: a
  - budget_id: b
    limit_usd: 5
    window:
      kind: MONTH
`);
    expect(lineOf("budgets[1].limit")).to.equal(4);
    expect(lineOf("budgets[1].window.kind")).to.equal(6);
    expect(lineOf("budgets[1].window.days")).to.equal(5);
    expect(lineOf("budgets[1].subject")).to.equal(3);
    expect(lineOf("budgets[0]")).to.equal(2);
    expect(lineOf("budgets[7].subject")).to.equal(1);
    expect(lineOf("settings")).to.equal(1);
    expect(lineOf("")).to.equal(1);
  });

  it("reads the example that explains everything", async () => {
    const text = await readFile("examples/catalog.yaml", "utf8");
    const { document } = readCatalogFile(text);
    for (const [collection, entries] of Object.entries(document)) {
      if (Array.isArray(entries)) expect(entries, collection).to.not.be.empty;
    }
    expect(document.budgets[0]?.limit).to.equal(20_000_000_000n);
  });
});

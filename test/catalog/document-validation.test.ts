import { expect } from "chai";
import fc from "fast-check";
import type { CatalogDocument } from "../../src/catalog/document.js";
import { documentViolations, type ExistingEntries } from "../../src/catalog/document-validation.js";
import type { Budget } from "../../src/catalog/types.js";
import { documents } from "./arbitraries.js";
import {
  apiKey,
  budget,
  catalogDocument,
  flatPrice,
  model,
  price,
  provider,
  providerEndpoint,
  providerKey,
  user,
} from "./entries.js";

const NOTHING: ExistingEntries = {
  userIds: new Set(),
  providers: new Set(),
  providerOfEndpoint: new Map(),
  budgets: new Map(),
};

/** Violations as "field: description". */
function violationsOf(
  document: Partial<CatalogDocument>,
  existing: Partial<ExistingEntries> = {},
): string[] {
  const found = documentViolations(catalogDocument(document), { ...NOTHING, ...existing });
  return found.map(({ field, description }) => `${field}: ${description}`);
}

const onTag = (subject: string) => ({ budgets: [budget("b", { scope: "TAG", subject })] });
const inWindow = (window: Budget["window"]) => ({ budgets: [budget("b", { window })] });
const tiers = (...borders: (number | undefined)[]) => ({
  prices: [
    price("m", {
      price: {
        tiers: borders.map((upToTokens) => ({
          ...flatPrice(1n).tiers[0]!,
          ...(upToTokens !== undefined && { upToTokens }),
        })),
      },
    }),
  ],
});

const TAG_RULE =
  'must be "key=value" for TAG, a key of 1 to 63 characters and a value of up to 200';
const NO_USER = "must be a user of the catalog or of the same request";
const NO_PROVIDER = "must be a provider of the catalog or of the same request";
const BAD_MULTIPLIER = "must be a decimal from 0 to 1000 with at most 9 places";
const OUT_OF_TIME = "must be in the years 1 to 9999";

/** Rule, a document that breaks it, what is said. */
const BROKEN: readonly [string, Partial<CatalogDocument>, string | string[]][] = [
  [
    "the same user twice",
    { users: [user("a"), user("b"), user("a")] },
    'document.users[2].user_id: must not be given twice, users[0] is the same (was "a")',
  ],
  [
    "the same API key twice",
    { users: [user("a")], apiKeys: [apiKey("k", { userId: "a" }), apiKey("k", { userId: "a" })] },
    'document.api_keys[1].api_key_id: must not be given twice, api_keys[0] is the same (was "k")',
  ],
  [
    "the same provider twice",
    { providers: [provider("p"), provider("p")] },
    'document.providers[1].provider: must not be given twice, providers[0] is the same (was "p")',
  ],
  [
    "the same endpoint twice",
    {
      providers: [provider("p")],
      providerEndpoints: [
        providerEndpoint("e", { provider: "p" }),
        providerEndpoint("e", { provider: "p" }),
      ],
    },
    'document.provider_endpoints[1].provider_endpoint_id: must not be given twice, provider_endpoints[0] is the same (was "e")',
  ],
  [
    "the same provider key twice",
    {
      providers: [provider("p")],
      providerKeys: [providerKey("k", { provider: "p" }), providerKey("k", { provider: "p" })],
    },
    'document.provider_keys[1].provider_key_id: must not be given twice, provider_keys[0] is the same (was "k")',
  ],
  [
    "the same model twice",
    { models: [model("m"), model("m")] },
    'document.models[1].model: must not be given twice, models[0] is the same (was "m")',
  ],
  [
    "the same price twice",
    { prices: [price("m", { provider: "p" }), price("m"), price("m", { provider: "p" })] },
    'document.prices[2]: must not be given twice, prices[0] is the same (was "m@p")',
  ],
  [
    "the same budget twice",
    { budgets: [budget("b"), budget("b")] },
    'document.budgets[1].budget_id: must not be given twice, budgets[0] is the same (was "b")',
  ],
  [
    "an ordinary key without a user",
    { apiKeys: [apiKey("k")] },
    "document.api_keys[0].user_id: is required for an ordinary key (was unset)",
  ],
  [
    "an ordinary key of an unknown user",
    { apiKeys: [apiKey("k", { userId: "nobody" })] },
    `document.api_keys[0].user_id: ${NO_USER} (was "nobody")`,
  ],
  [
    "a standalone key of an unknown creator",
    { apiKeys: [apiKey("k", { userId: "nobody", kind: "STANDALONE" })] },
    `document.api_keys[0].user_id: ${NO_USER} (was "nobody")`,
  ],
  [
    "an endpoint of an unknown provider",
    { providerEndpoints: [providerEndpoint("e", { provider: "p" })] },
    `document.provider_endpoints[0].provider: ${NO_PROVIDER} (was "p")`,
  ],
  [
    "a provider key of an unknown provider",
    { providerKeys: [providerKey("k", { provider: "p" })] },
    `document.provider_keys[0].provider: ${NO_PROVIDER} (was "p")`,
  ],
  [
    "a provider key of an unknown endpoint",
    {
      providers: [provider("p")],
      providerKeys: [providerKey("k", { provider: "p", providerEndpointId: "e" })],
    },
    'document.provider_keys[0].provider_endpoint_id: must be a provider endpoint of the catalog or of the same request (was "e")',
  ],
  [
    "a provider key with another provider's endpoint",
    {
      providers: [provider("p"), provider("q")],
      providerEndpoints: [providerEndpoint("e", { provider: "q" })],
      providerKeys: [providerKey("k", { provider: "p", providerEndpointId: "e" })],
    },
    'document.provider_keys[0].provider_endpoint_id: must be an endpoint of the key\'s own provider (was "e")',
  ],
  ...["1000.000000001", "-1", "1.0000000001", "many"].map(
    (rateMultiplier): [string, Partial<CatalogDocument>, string] => [
      `the rate multiplier ${rateMultiplier}`,
      {
        providers: [provider("p")],
        providerKeys: [providerKey("k", { provider: "p", rateMultiplier })],
      },
      `document.provider_keys[0].rate_multiplier: ${BAD_MULTIPLIER} (was "${rateMultiplier}")`,
    ],
  ),
  [
    "tiers that do not ascend",
    tiers(200, 100, undefined),
    "document.prices[0].price.tiers[1].up_to_tokens: must be above that of the tier before, 200 (was 100)",
  ],
  [
    "an open tier that is not the last",
    tiers(undefined, 100),
    "document.prices[0].price.tiers[0].up_to_tokens: is required for all tiers but the last (was unset)",
  ],
  [
    "a price without tiers",
    tiers(),
    "document.prices[0].price.tiers: must have 1 to 16 entries (was 0)",
  ],
  ...(["USER", "API_KEY", "PROVIDER", "MODEL"] as const).map(
    (scope): [string, Partial<CatalogDocument>, string] => [
      `a budget on no ${scope}`,
      { budgets: [budget("b", { scope })] },
      `document.budgets[0].subject: is required for ${scope} (was "")`,
    ],
  ),
  [
    "a subject that is too long for a user",
    { budgets: [budget("b", { scope: "USER", subject: "x".repeat(201) })] },
    `document.budgets[0].subject: must have at most 200 characters for USER (was "${"x".repeat(64)}"... (201 characters))`,
  ],
  [
    "a subject of a budget on everything",
    { budgets: [budget("b", { subject: "all" })] },
    'document.budgets[0].subject: must be empty for GLOBAL (was "all")',
  ],
  ...["", "team", "=platform", `${"k".repeat(64)}=v`].map(
    (subject): [string, Partial<CatalogDocument>, string] => [
      `the tag "${subject.slice(0, 12)}"`,
      onTag(subject),
      `document.budgets[0].subject: ${TAG_RULE} (was ${
        subject.length > 64
          ? `"${subject.slice(0, 64)}"... (${subject.length} characters)`
          : `"${subject}"`
      })`,
    ],
  ),
  ...["Europe/Berlim", "+01:00", "", "CEST"].map(
    (timeZone): [string, Partial<CatalogDocument>, string] => [
      `the time zone "${timeZone}"`,
      inWindow({ kind: "DAY", timeZone }),
      `document.budgets[0].window.time_zone: must be an IANA time zone such as "Europe/Berlin" (was "${timeZone}")`,
    ],
  ),
  [
    "EVERY_N_DAYS without days or anchor",
    inWindow({ kind: "EVERY_N_DAYS", timeZone: "UTC" }),
    [
      "document.budgets[0].window.days: is required for EVERY_N_DAYS (was unset)",
      "document.budgets[0].window.anchor_time: is required for EVERY_N_DAYS (was unset)",
    ],
  ],
  ...(["LIFETIME", "DAY", "WEEK", "MONTH"] as const).map(
    (kind): [string, Partial<CatalogDocument>, string[]] => [
      `${kind} with days and anchor`,
      inWindow({ kind, timeZone: "UTC", days: 3, anchorMs: 0 }),
      [
        `document.budgets[0].window.days: must be unset for ${kind}, it is for EVERY_N_DAYS only`,
        `document.budgets[0].window.anchor_time: must be unset for ${kind}, it is for EVERY_N_DAYS only`,
      ],
    ],
  ),
  [
    "moments that no calendar has",
    {
      users: [user("u", { expireTimeMs: Number.MAX_SAFE_INTEGER })],
      apiKeys: [apiKey("k", { kind: "STANDALONE", expireTimeMs: 253_402_300_800_000 })],
      prices: [price("m", { effectiveTimeMs: -Number.MAX_SAFE_INTEGER })],
      budgets: [
        budget("b", {
          expireTimeMs: -62_135_596_800_001,
          window: { kind: "EVERY_N_DAYS", timeZone: "UTC", days: 1, anchorMs: 1e300 },
        }),
      ],
    },
    [
      "users[0].expire_time",
      "api_keys[0].expire_time",
      "prices[0].effective_time",
      "budgets[0].window.anchor_time",
      "budgets[0].expire_time",
    ].map((field) => `document.${field}: ${OUT_OF_TIME}`),
  ],
];

describe("documentViolations", () => {
  for (const [rule, document, expected] of BROKEN) {
    it(`names ${rule}`, () => {
      expect(violationsOf(document)).to.deep.equal([expected].flat());
    });
  }

  it("names everything at once", () => {
    const everything: Partial<CatalogDocument> = {
      users: [user("a"), user("a")],
      apiKeys: [apiKey("k")],
      providerKeys: [providerKey("k", { provider: "p", rateMultiplier: "x" })],
      budgets: [budget("b", { scope: "TAG", window: { kind: "DAY", timeZone: "Mars" } })],
    };
    expect(violationsOf(everything)).to.have.length(6);
  });

  it("takes what the catalog has for what a document refers to", () => {
    const document = {
      apiKeys: [apiKey("k", { userId: "a" })],
      providerEndpoints: [providerEndpoint("new", { provider: "p" })],
      providerKeys: [providerKey("k", { provider: "p", providerEndpointId: "old" })],
    };
    const existing = {
      userIds: new Set(["a"]),
      providers: new Set(["p"]),
      providerOfEndpoint: new Map([["old", "p"]]),
    };
    expect(violationsOf(document, existing)).to.deep.equal([]);
  });

  it("judges an endpoint by the provider that the document gives it", () => {
    const document = {
      providers: [provider("p"), provider("q")],
      providerEndpoints: [providerEndpoint("moved", { provider: "q" })],
      providerKeys: [providerKey("k", { provider: "q", providerEndpointId: "moved" })],
    };
    const existing = { providerOfEndpoint: new Map([["moved", "p"]]) };
    expect(violationsOf(document, existing)).to.deep.equal([]);
  });

  it("refuses another scope, subject or measure under a budget's id", () => {
    const existing = { budgets: new Map([["b", budget("b", { scope: "USER", subject: "a" })]]) };
    const changed = budget("b", { scope: "MODEL", subject: "m", measure: "REQUESTS" });
    const rule = (was: string) =>
      `must stay "${was}", since spend is booked on it; give the new budget an id of its own`;
    expect(violationsOf({ budgets: [changed] }, existing)).to.deep.equal([
      `document.budgets[0].scope: ${rule("USER")} (was "MODEL")`,
      `document.budgets[0].subject: ${rule("a")} (was "m")`,
      `document.budgets[0].measure: ${rule("COST")} (was "REQUESTS")`,
    ]);
  });

  it("takes tags with an empty value, or one with = in it", () => {
    for (const subject of ["team=", "team=a=b", `${"k".repeat(63)}=${"v".repeat(200)}`]) {
      expect(violationsOf(onTag(subject)), subject).to.deep.equal([]);
    }
  });

  it("finds nothing wrong with valid documents", () => {
    fc.assert(
      fc.property(documents, (document) => {
        expect(documentViolations(document, NOTHING)).to.deep.equal([]);
      }),
    );
  });
});

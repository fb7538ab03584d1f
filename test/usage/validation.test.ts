import { create, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { UsageInputSchema, type UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { RecordUsageRequestSchema } from "../../gen/tally/v1/usage_recorder_pb.js";
import type { RpcError } from "../../src/client/grpc-client.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { callWithBytes } from "../support/raw-call.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { type UsageInit, usage } from "./usage-fixture.js";

/** Characters of four bytes each, too varied to be compressed. */
function wideText(length: number, seed: number): string {
  const codes = Array.from(
    { length },
    (_, index) => 0x20000 + (((index + 1) * 7_919 * seed) % 40_000),
  );
  return String.fromCodePoint(...codes);
}

const EXCLUSIVE = 1;
const INCLUSIVE = 2;
const TOO_MANY = 2n ** 40n + 1n;
const NUL = "a\0b";

/** Seconds since 1970, so many from now. */
function secondsFromNow(seconds: number): bigint {
  return BigInt(Math.floor(Date.now() / 1_000) + seconds);
}

/** What is wrong, the field that the answer must name, and what its description must say. */
const RULES: readonly (readonly [string, UsageInit, string, string])[] = [
  ["no model", { model: "" }, "model", "at least 1"],
  ["negative input", { inputTokens: -1n }, "input_tokens", "(was -1)"],
  ["too much input", { inputTokens: TOO_MANY }, "input_tokens", `(was ${TOO_MANY})`],
  ["negative output", { outputTokens: -5n }, "output_tokens", "(was -5)"],
  [
    "the least int64",
    { outputTokens: -(2n ** 63n) },
    "output_tokens",
    "(was -9223372036854775808)",
  ],
  ["too much output", { outputTokens: TOO_MANY }, "output_tokens", `(was ${TOO_MANY})`],
  [
    "negative cache reads",
    { cacheReadInputTokens: -1n, tokenConvention: EXCLUSIVE },
    "cache_read_input_tokens",
    "(was -1)",
  ],
  [
    "negative cache writes",
    { cacheCreationInputTokens: -1n, tokenConvention: EXCLUSIVE },
    "cache_creation_input_tokens",
    "(was -1)",
  ],
  [
    "a negative portion",
    { cacheCreations: [{ ttlMinutes: 5, tokens: -1n }], tokenConvention: EXCLUSIVE },
    "cache_creations[0].tokens",
    "(was -1)",
  ],
  [
    "a portion without a time to live",
    { cacheCreations: [{ ttlMinutes: 0, tokens: 1n }], tokenConvention: EXCLUSIVE },
    "cache_creations[0].ttl_minutes",
    "(was 0)",
  ],
  [
    "portions that do not add up",
    {
      cacheCreations: [
        { ttlMinutes: 5, tokens: 1n },
        { ttlMinutes: 60, tokens: 2n },
      ],
      cacheCreationInputTokens: 4n,
      tokenConvention: EXCLUSIVE,
    },
    "cache_creations",
    "must add up to cache_creation_input_tokens, 4 (was 3)",
  ],
  [
    "cached tokens without a convention",
    { cacheReadInputTokens: 1n },
    "token_convention",
    "is required when cache tokens are given",
  ],
  [
    "more cached tokens than an inclusive input",
    { inputTokens: 5n, cacheReadInputTokens: 6n, tokenConvention: INCLUSIVE },
    "input_tokens",
    "must be at least the cached tokens, 6, with CACHE_INCLUSIVE (was 5)",
  ],
  ["a user id of more than 500 bytes", { userId: wideText(126, 1) }, "user_id", "500 bytes"],
  ["a model of more than 500 bytes", { model: wideText(126, 1) }, "model", "500 bytes"],
  [
    "an API format of more than 100 bytes",
    { apiFormat: wideText(26, 1) },
    "api_format",
    "100 bytes",
  ],
  ["a negative response time", { responseTimeMs: -1n }, "response_time_ms", "(was -1)"],
  ["a negative first byte time", { firstByteTimeMs: -1n }, "first_byte_time_ms", "(was -1)"],
  ["status code 99", { statusCode: 99 }, "status_code", "(was 99)"],
  ["status code 600", { statusCode: 600 }, "status_code", "(was 600)"],
  ["no status at all", { status: 99 as UsageStatus }, "status", "defined"],
  ["no convention at all", { tokenConvention: 9 as 0 }, "token_convention", "defined"],
  ["a time before 2000", { createTime: { seconds: 946_684_799n } }, "create_time", "2000-01-01"],
  ["the year 0", { createTime: { seconds: -62_167_219_200n } }, "create_time", "2000-01-01"],
  ["the end of time", { createTime: { seconds: 2n ** 63n - 1n } }, "create_time", "10 minutes"],
  ["a long id", { requestId: "x".repeat(101) }, "request_id", "at most 100"],
  ["NUL in the id", { requestId: NUL }, "request_id", "must not contain NUL"],
  ["NUL in the user", { userId: NUL }, "user_id", "must not contain NUL"],
  ["NUL in the key", { apiKeyId: NUL }, "api_key_id", "must not contain NUL"],
  ["NUL in the provider", { provider: NUL }, "provider", "must not contain NUL"],
  ["NUL in the model", { model: NUL }, "model", "must not contain NUL"],
  ["NUL in the target model", { targetModel: NUL }, "target_model", "must not contain NUL"],
  ["NUL in the error message", { errorMessage: NUL }, "error_message", "must not contain NUL"],
  ["NUL in a tag", { tags: { team: NUL } }, 'tags["team"]', "must not contain NUL"],
  ["NUL in metadata", { metadata: { note: NUL } }, "metadata", "must not contain NUL"],
  ["NUL in a key of metadata", { metadata: { [NUL]: 1 } }, "metadata", "must not contain NUL"],
  ["= in the key of a tag", { tags: { "a=b": "c" } }, 'tags["a=b"]', 'NUL or "="'],
  [
    "17 tags",
    { tags: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`t${n}`, ""])) },
    "tags",
    "16",
  ],
  ["large metadata", { metadata: { text: "x".repeat(65_536) } }, "metadata", "65536 bytes"],
  ["no time to live", { cacheTtlMinutes: 0 }, "cache_ttl_minutes", "(was 0)"],
];

describe("validation of RecordUsage", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
  });
  after(() => app.stop());

  function failure(input: UsageInit): Promise<RpcError> {
    return rpcFailure(app.clients.recorder.recordUsage({ usage: input }));
  }

  for (const [what, fields, field, text] of RULES) {
    it(`refuses ${what} and names ${field}`, async () => {
      const error = await failure(usage(fields));
      expect([error.codeName, error.reason]).to.deep.equal(["INVALID_ARGUMENT", "INVALID_FIELD"]);
      const violations = error.details.badRequest?.fieldViolations ?? [];
      expect(violations.map((violation) => violation.field)).to.deep.equal([`usage.${field}`]);
      expect(violations[0]?.description).to.include(text);
      expect(error.message).to.match(/^[\x20-\x7e]*$/);
    });
  }

  it("refuses a time more than 10 minutes ahead, and takes one of less", async () => {
    const createTime = { seconds: secondsFromNow(605) };
    const error = await failure(usage({ createTime }));
    expect(error.details.badRequest?.fieldViolations[0]).to.deep.include({
      field: "usage.create_time",
      description: `must be at most 10 minutes ahead of the server's clock (was "${createTime.seconds} s since 1970")`,
    });
    const soon = usage({ createTime: { seconds: secondsFromNow(595) } });
    const { record } = await app.clients.recorder.recordUsage({ usage: soon });
    expect(record?.requestId).to.equal(soon.requestId);
  });

  it("takes what is just within the rules", async () => {
    const inputs: UsageInit[] = [
      { inputTokens: 2n ** 40n, outputTokens: 2n ** 40n },
      { statusCode: 100 },
      { statusCode: 599 },
      { createTime: { seconds: 946_684_800n } },
      { requestId: "\u{1f600}".repeat(100) },
      { metadata: { note: "\\u0000", "\\": "\\\\u0000" } },
      { inputTokens: 6n, cacheReadInputTokens: 6n, tokenConvention: INCLUSIVE },
      { responseTimeMs: 0n, firstByteTimeMs: 2n ** 53n - 1n },
      {
        userId: wideText(125, 1),
        apiKeyId: wideText(125, 2),
        provider: wideText(125, 3),
        model: wideText(125, 5),
        apiFormat: wideText(25, 7),
      },
    ];
    for (const input of inputs) {
      const { record } = await app.clients.recorder.recordUsage({ usage: usage(input) });
      const { record: stored } = await app.clients.recorder.getUsage({
        requestId: record!.requestId,
      });
      expect(stored?.metadata).to.deep.equal(input.metadata);
    }
  });

  it("names every violation in one answer", async () => {
    const error = await failure({
      model: "",
      inputTokens: -1n,
      outputTokens: TOO_MANY,
      statusCode: 0,
      userId: NUL,
      createTime: { seconds: secondsFromNow(86_400) },
      metadata: { note: NUL },
      tags: { "a=": "" },
    });
    const fields = error.details.badRequest?.fieldViolations.map(({ field }) => field);
    expect(fields).to.have.members([
      "usage.model",
      "usage.input_tokens",
      "usage.output_tokens",
      "usage.status_code",
      "usage.user_id",
      "usage.create_time",
      "usage.metadata",
      'usage.tags["a="]',
    ]);
  });

  it("wants a usage", async () => {
    const error = await rpcFailure(app.clients.recorder.recordUsage({}));
    expect(error.reason).to.equal("INVALID_FIELD");
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("usage");
  });

  it("refuses text with half of a surrogate pair, which is no UTF-8", async () => {
    const input = create(UsageInputSchema, { model: "??? ", requestId: "lone-surrogate" });
    const request = create(RecordUsageRequestSchema, { usage: input });
    const bytes = Buffer.from(toBinary(RecordUsageRequestSchema, request));
    // U+D800 in the form that UTF-8 would give it, were it allowed.
    Buffer.from([0xed, 0xa0, 0x80]).copy(bytes, bytes.indexOf("???"));
    const path = "/tally.v1.UsageRecorder/RecordUsage";
    const error = await rpcFailure(callWithBytes(app.address, path, bytes));
    expect([error.codeName, error.reason]).to.deep.equal(["INVALID_ARGUMENT", "MALFORMED_REQUEST"]);
    const missing = await rpcFailure(
      app.clients.recorder.getUsage({ requestId: "lone-surrogate" }),
    );
    expect(missing.codeName).to.equal("NOT_FOUND");
  });

  it("refuses a cost that 64 bits cannot hold", async () => {
    const tier = { inputNanoUsdPerMillion: 10n ** 15n, outputNanoUsdPerMillion: 0n };
    await app.apply({ prices: [{ model: "absurd", price: { tiers: [tier] } }] });
    const error = await failure(usage({ model: "absurd", inputTokens: 2n ** 40n }));
    expect([error.codeName, error.reason]).to.deep.equal(["INVALID_ARGUMENT", "INVALID_FIELD"]);
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("usage");
  });
});

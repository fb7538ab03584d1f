import { request as http1Request } from "node:http";
import { connect as http2Connect } from "node:http2";
import { Code } from "@connectrpc/connect";
import { expect } from "chai";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import type { CallContext } from "../../src/server/context.js";
import {
  clientOf,
  connectFailure,
  type HttpTestServer,
  PROTOCOLS,
  postJson,
  startHttpServer,
} from "./http-test-server.js";
import { createGate } from "./test-server.js";

const MAX_BYTES = 100_000;
const CHECK_QUOTA = "/tally.v1.QuotaChecker/CheckQuota";

describe("the HTTP port", () => {
  let server: HttpTestServer;
  let lastContext: CallContext;
  let lastPeer: string;
  let watchEnded = createGate();

  before(async () => {
    server = await startHttpServer(
      {
        quota: {
          checkQuota({ userId, expectation }, context) {
            lastContext = context;
            lastPeer = context.peer;
            if (userId === "defect") throw new Error("secret inside");
            if (userId === "slow") return new Promise(() => {});
            return {
              allowed: true,
              message: userId,
              remainingNanoUsd: BigInt(String(expectation.value ?? 0)),
            };
          },
        },
        usage: {
          async *watchActiveRequests({ userId }, { signal }) {
            try {
              yield { snapshot: true };
              if (userId === "short") return;
              await new Promise((_resolve, reject) => {
                signal.addEventListener("abort", () => reject(signal.reason));
              });
            } finally {
              watchEnded.open();
            }
          },
          async *streamRecordUsage(requests) {
            for await (const { message, error } of requests.judged()) {
              yield error === undefined
                ? { sequence: message.sequence }
                : { sequence: message.sequence, result: { case: "error", value: { code: 3 } } };
            }
          },
        },
      },
      { limits: { maxMessageBytes: MAX_BYTES }, metrics: () => "tally_up 1\n" },
    );
  });
  after(() => server.stop());

  for (const [name, isHttp2, makeTransport] of PROTOCOLS) {
    describe(`by ${name}`, () => {
      const quota = () => clientOf(QuotaChecker, makeTransport(server.url));
      const usage = () => clientOf(UsageRecorder, makeTransport(server.url));

      it("answers, with numbers beyond 2^53", async () => {
        const value = 2n ** 53n + 1n;
        const answer = await quota().checkQuota({
          userId: "\u00e4",
          expectation: { case: "estimatedCostNanoUsd", value },
        });
        expect(answer).to.include({ message: "\u00e4", remainingNanoUsd: value });
      });

      it("tells every violation in the details", async () => {
        const bad = { userId: "a\0", model: "m".repeat(5_000) };
        const error = await connectFailure(quota().checkQuota(bad));
        expect(error.code).to.equal(Code.InvalidArgument);
        const [info] = error.findDetails(ErrorInfoSchema);
        expect(info).to.include({ reason: "INVALID_FIELD", domain: "tally" });
        const [{ fieldViolations } = { fieldViolations: [] }] = error.findDetails(BadRequestSchema);
        expect(fieldViolations.map(({ field }) => field)).to.deep.equal(["user_id", "model"]);
      });

      it("says nothing of what is inside", async () => {
        const error = await connectFailure(quota().checkQuota({ userId: "defect" }));
        expect(error.code).to.equal(Code.Internal);
        expect(error.rawMessage).to.match(/^internal error; the server's log has the cause/);
        expect(JSON.stringify(error)).not.to.include("secret");
      });

      it("hands over headers, and the deadline", async () => {
        const headers = { "x-request-id": "req-7", authorization: "Bearer x" };
        await quota().checkQuota({ userId: "a" }, { headers, timeoutMs: 60_000 });
        expect(lastContext.requestId).to.equal("req-7");
        expect(lastContext.header("authorization")).to.equal("Bearer x");
        expect(lastPeer).to.match(/^127\.0\.0\.1:\d+$/);
        const leftMs = lastContext.deadline!.getTime() - Date.now();
        expect(leftMs).to.be.within(50_000, 60_000);
      });

      it("ends a call whose deadline passes", async () => {
        const call = quota().checkQuota({ userId: "slow" }, { timeoutMs: 50 });
        expect((await connectFailure(call)).code).to.equal(Code.DeadlineExceeded);
      });

      it("refuses what is too large", async () => {
        const tags = { t: "x".repeat(MAX_BYTES) };
        const error = await connectFailure(quota().checkQuota({ userId: "a", tags }));
        expect(error.code).to.equal(Code.ResourceExhausted);
        expect(error.findDetails(ErrorInfoSchema)[0]?.reason).to.equal("REQUEST_TOO_LARGE");
        // The connection, or a new one, goes on.
        expect((await quota().checkQuota({ userId: "b" })).message).to.equal("b");
      });

      it("streams, and ends what nobody reads any more", async () => {
        const snapshots: boolean[] = [];
        for await (const { snapshot } of usage().watchActiveRequests({ userId: "short" })) {
          snapshots.push(snapshot);
        }
        expect(snapshots).to.deep.equal([true]);
        watchEnded = createGate();
        const gone = new AbortController();
        const stream = usage().watchActiveRequests({ userId: "l" }, { signal: gone.signal });
        const error = await connectFailure(
          (async () => {
            for await (const _event of stream) gone.abort();
          })(),
        );
        expect(error.code).to.equal(Code.Canceled);
        await watchEnded.opened;
      });

      it(`${isHttp2 ? "answers" : "does not take"} streams both ways`, async () => {
        const lastAnswer = createGate();
        async function* requests() {
          const usage = { userId: "u", model: "m" };
          yield { sequence: 1n, request: { usage } };
          yield { sequence: 2n, request: { usage: { ...usage, userId: "\0" } } };
          // Only what was answered lets it go on: requests do not wait for the last.
          await lastAnswer.opened;
          yield { sequence: 3n, request: { usage } };
        }
        const answers: [bigint, string | undefined][] = [];
        const call = (async () => {
          for await (const { sequence, result } of usage().streamRecordUsage(requests())) {
            answers.push([sequence, result.case]);
            if (sequence === 2n) lastAnswer.open();
          }
        })();
        if (isHttp2) {
          await call;
          expect(answers).to.deep.equal([
            [1n, undefined],
            [2n, "error"],
            [3n, undefined],
          ]);
        } else {
          await connectFailure(call);
          expect(answers).to.deep.equal([]);
        }
      });
    });
  }

  describe("for curl", () => {
    it("takes and gives protobuf's JSON, 64-bit numbers as strings", async () => {
      const body = '{"userId":"a","estimatedCostNanoUsd":"9007199254740993"}';
      const answer = await postJson(server.url + CHECK_QUOTA, body);
      expect(answer.status).to.equal(200);
      expect(await jsonOf(answer)).to.deep.equal({
        allowed: true,
        message: "a",
        remainingNanoUsd: "9007199254740993",
      });
      const snakeCase = '{"user_id":"a","estimated_cost_nano_usd":5}';
      expect((await postJson(server.url + CHECK_QUOTA, snakeCase)).status).to.equal(200);
    });

    it("shows the details of errors", async () => {
      const answer = await postJson(server.url + CHECK_QUOTA, "{}");
      expect(answer.status).to.equal(400);
      const { code, details } = await jsonOf(answer);
      expect(code).to.equal("invalid_argument");
      expect(details[1].debug.fieldViolations[0].field).to.equal("user_id");
    });

    const malformed: [string, string, RegExp][] = [
      ["what is no JSON", '{"userId":', /: it is no JSON in UTF-8$/],
      ["a field that is not there", '{"userid":"a"}', /key "userid" is unknown$/],
      ["a lone surrogate", '{"userId":"\\ud800"}', /user_id.*invalid UTF8$/],
      [
        "a number that is too large",
        '{"userId":"a","estimatedTokens":"9223372036854775808"}',
        /range/,
      ],
      ["a list", "[]", /CheckQuotaRequest/],
      ["nesting without end", `${'{"tags":'.repeat(10_000)}`, /no JSON in UTF-8$/],
    ];
    for (const [name, body, message] of malformed) {
      it(`answers ${name} with MALFORMED_REQUEST`, async () => {
        const answer = await postJson(server.url + CHECK_QUOTA, body);
        expect(answer.status).to.equal(400);
        const error = await jsonOf(answer);
        expect(error.message).to.match(message);
        expect(error.message).not.to.match(/SyntaxError|RangeError|position|\.js/);
        expect(error.details[0].debug.reason).to.equal("MALFORMED_REQUEST");
      });
    }

    it("says what to do instead of what it does not serve", async () => {
      const answers: [string, RequestInit, number, RegExp][] = [
        [
          "/nothing/here",
          {},
          404,
          /nothing is served at \/nothing\/here; methods are called by POST/,
        ],
        [CHECK_QUOTA, {}, 405, /called by POST/],
        [
          CHECK_QUOTA,
          { method: "POST", body: "{}" },
          415,
          /content-type: must be application\/json/,
        ],
        [
          CHECK_QUOTA,
          { method: "POST", headers: { "content-type": "application/connect+json" } },
          415,
          /must be application\/json/,
        ],
      ];
      for (const [path, init, status, message] of answers) {
        const answer = await fetch(server.url + path, init);
        expect(answer.status, path).to.equal(status);
        expect((await jsonOf(answer)).message).to.match(message);
      }
    });

    it("answers a timeout that is none with MALFORMED_REQUEST", async () => {
      const headers = { "connect-timeout-ms": "soon" };
      const answer = await postJson(server.url + CHECK_QUOTA, '{"userId":"a"}', headers);
      expect(answer.status).to.equal(400);
      expect((await jsonOf(answer)).details[0].debug.reason).to.equal("MALFORMED_REQUEST");
    });

    it("unpacks what says so, within the limit", async () => {
      const { gzipSync, brotliCompressSync } = await import("node:zlib");
      const post = (encoding: string, body: Buffer) =>
        fetch(server.url + CHECK_QUOTA, {
          method: "POST",
          body: new Uint8Array(body),
          headers: { "content-type": "application/json", "content-encoding": encoding },
        });
      const json = Buffer.from('{"userId":"packed"}');
      for (const answer of [
        await post("gzip", gzipSync(json)),
        await post("br", brotliCompressSync(json)),
      ]) {
        expect((await jsonOf(answer)).message).to.equal("packed");
      }
      const bomb = await post("gzip", gzipSync(Buffer.alloc(MAX_BYTES * 10)));
      expect((await jsonOf(bomb)).details[0].debug.reason).to.equal("REQUEST_TOO_LARGE");
      expect((await post("gzip", json)).status).to.equal(400);
      expect((await post("snappy", json)).status).to.equal(501);
    });
  });

  describe("for probes", () => {
    it("tells that it lives, whether it is ready, and its metrics", async () => {
      const pages: [string, number, string][] = [
        ["/healthz", 200, "ok\n"],
        ["/readyz", 200, "ready\n"],
        ["/metrics", 200, "tally_up 1\n"],
      ];
      for (const [path, status, body] of pages) {
        const answer = await fetch(server.url + path);
        expect([answer.status, await answer.text()], path).to.deep.equal([status, body]);
        const head = await fetch(server.url + path, { method: "HEAD" });
        expect([head.status, await head.text()]).to.deep.equal([status, ""]);
      }
    });

    it("is not ready without its database, or when it does not serve", async () => {
      const other = await startHttpServer(
        {},
        {
          async probe() {
            throw new Error("secret host is away");
          },
        },
      );
      const away = await fetch(`${other.url}/readyz`);
      expect([away.status, await away.text()]).to.deep.equal([
        503,
        "the database does not answer\n",
      ]);
      other.health.setServing(false);
      expect((await fetch(`${other.url}/readyz`)).status).to.equal(503);
      expect((await fetch(`${other.url}/healthz`)).status).to.equal(200);
      await other.stop();
    });
  });

  it("speaks HTTP/1.1 and HTTP/2 on one port, however slowly they begin", async () => {
    const answer = await new Promise<number | undefined>((resolve) => {
      const call = http1Request(`${server.url}/healthz`, ({ statusCode }) => resolve(statusCode));
      call.end();
    });
    expect(answer).to.equal(200);
    const session = http2Connect(server.url);
    const stream = session.request({ ":path": "/healthz" });
    const status = await new Promise((resolve) =>
      stream.once("response", (headers) => resolve(headers[":status"])),
    );
    expect(status).to.equal(200);
    session.destroy();
    const { connect } = await import("node:net");
    const socket = connect(server.port, "127.0.0.1");
    socket.setNoDelay(true);
    for (const piece of [
      "P",
      "OST ",
      "/nothing HTTP/1.1\r\nhost: t\r\n",
      "connection: close\r\n\r\n",
    ]) {
      await new Promise((resolve) => socket.write(piece, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text).to.match(/^HTTP\/1\.1 404 /);
  });
});

/** The body of an answer, whatever it is. */
async function jsonOf(answer: Response) {
  // biome-ignore lint/suspicious/noExplicitAny: tests look at every part of it.
  return (await answer.json()) as any;
}

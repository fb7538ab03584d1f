import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import fc from "fast-check";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { frame, rawCall } from "./raw-call.js";
import { startQuotaServer, type TestServer } from "./test-server.js";

/** A CheckQuotaRequest whose user_id is "a". */
const VALID = Buffer.from([0x0a, 1, 0x61]);

const MAX_BYTES = 100_000;

describe("requests that no client library makes", () => {
  let server: TestServer;

  before(async () => {
    server = await startQuotaServer(
      { checkQuota: ({ userId }) => ({ message: userId }) },
      { limits: { maxMessageBytes: MAX_BYTES } },
    );
  });
  after(() => server.stop());
  afterEach(async () => {
    const answer = await server.quota.checkQuota({ userId: "still here" });
    expect(answer.message).to.equal("still here");
  });

  const malformed: [string, Uint8Array, Record<string, string>?][] = [
    ["a field that ends early", frame(Buffer.from([0x0a, 9, 1]))],
    ["a tag that ends early", frame(Buffer.from([0xff]))],
    ["a field number of zero", frame(Buffer.from([0x00, 1]))],
    ["a varint without end", frame(Buffer.alloc(20, 0xff))],
    ["a nested message beyond the end", frame(Buffer.from([0x3a, 0x7f, 0x08, 1]))],
    ["groups nested without end", frame(Buffer.alloc(5_000, 0x93))],
    ["an encoded lone surrogate", frame(Buffer.from([0x0a, 3, 0xed, 0xa0, 0x80]))],
    ["text that is not UTF-8", frame(Buffer.from([0x0a, 2, 0xc3, 0x28]))],
    ["a lone surrogate as key of a map", frame(mapEntry([0xed, 0xbf, 0xbf]))],
    ["no message at all", Buffer.alloc(0)],
    ["half a length prefix", Buffer.from([0, 0])],
    ["a length prefix that promises more", frame(VALID, { length: 1_000 })],
    ["two messages", Buffer.concat([frame(VALID), frame(VALID)])],
    ["compression that is broken", frame(VALID, { flag: 1 }), { "grpc-encoding": "gzip" }],
    ["a timeout that is none", frame(VALID), { "grpc-timeout": "soon" }],
  ];
  for (const [name, body, headers] of malformed) {
    it(`answers ${name} with INVALID_ARGUMENT and MALFORMED_REQUEST`, async () => {
      const answer = await rawCall(server.port, body, headers);
      expect(answer.code).to.equal(Code.INVALID_ARGUMENT);
      expect(answer.error?.code).to.equal(Code.INVALID_ARGUMENT);
      expect(answer.error?.reason).to.equal("MALFORMED_REQUEST");
      expect(answer.error?.message).to.equal(answer.message);
      expect(answer.text).not.to.match(/RangeError|TypeError|premature|utf-8|zlib|\.js|Error:/i);
    });
  }

  it("answers NUL in a text with INVALID_FIELD", async () => {
    const answer = await rawCall(server.port, frame(Buffer.from([0x0a, 1, 0])));
    expect(answer.code).to.equal(Code.INVALID_ARGUMENT);
    expect(answer.error?.reason).to.equal("INVALID_FIELD");
    expect(answer.message).to.equal('user_id: must not contain NUL (was "\\u0000")');
  });

  it("refuses a message over the limit from its prefix alone", async () => {
    const answer = await rawCall(server.port, frame(VALID, { length: 0xffffffff }));
    expect(answer.code).to.equal(Code.RESOURCE_EXHAUSTED);
    expect(answer.error?.reason).to.equal("REQUEST_TOO_LARGE");
    expect(answer.message).to.equal(
      `the request is larger than ${MAX_BYTES} bytes, which is the limit here`,
    );
  });

  it("refuses a small message that unpacks beyond the limit", async () => {
    const bomb = frame(gzipSync(Buffer.alloc(MAX_BYTES * 10)), { flag: 1 });
    const answer = await rawCall(server.port, bomb, { "grpc-encoding": "gzip" });
    expect(answer.code).to.equal(Code.RESOURCE_EXHAUSTED);
    expect(answer.error?.details.errorInfo?.domain).to.equal("tally");
  });

  it("reads compressed requests", async () => {
    const body = frame(gzipSync(VALID), { flag: 1 });
    const answer = await rawCall(server.port, body, { "grpc-encoding": "gzip" });
    expect(answer.code).to.equal(Code.OK);
  });

  it("does not know every compression", async () => {
    const body = frame(VALID, { flag: 1 });
    const answer = await rawCall(server.port, body, { "grpc-encoding": "snappy" });
    expect(answer.code).to.equal(Code.UNIMPLEMENTED);
    expect(answer.error?.reason).to.equal("UNIMPLEMENTED");
  });

  it("answers paths that are no methods with UNIMPLEMENTED, in ASCII", async () => {
    for (const path of ["/", "/tally.v1.QuotaChecker", '/a%zz"<>b/c', "/a\xff\xe9/b"]) {
      const answer = await rawCall(server.port, frame(VALID), { ":path": path });
      expect(answer.code, path).to.equal(Code.UNIMPLEMENTED);
      expect(answer.error?.reason).to.equal("UNIMPLEMENTED");
      expect(answer.message).to.match(/^[\x20-\x7e]*$/);
    }
  });

  it("answers other content types with 415", async () => {
    const answer = await rawCall(server.port, VALID, { "content-type": "application/json" });
    expect(answer.httpStatus).to.equal(415);
    expect(answer.code).to.equal(undefined);
  });

  it("keeps headers that it cannot read out of the log", async () => {
    const written: string[] = [];
    const { error } = console;
    console.error = (...parts) => void written.push(parts.join(" "));
    try {
      const headers = { authorization: "Bearer k\u00e9y" };
      expect((await rawCall(server.port, frame(VALID), headers)).code).to.equal(Code.OK);
    } finally {
      console.error = error;
    }
    expect(written).to.deep.equal([]);
    expect(JSON.stringify(server.lines)).not.to.include("Bearer");
  });

  it("outlives a peer that does not speak HTTP/2", async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\nhost: tally\r\n\r\n");
    socket.resume();
    await once(socket, "close");
  });

  it("outlives a peer that is gone in the middle of a frame", async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Buffer.from([0, 0xff, 0xff, 1, 4, 0, 0, 0, 1]));
    await once(socket, "data");
    socket.resetAndDestroy();
    await once(socket, "close");
  });

  it("answers any bytes with OK or INVALID_ARGUMENT", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        const answer = await rawCall(server.port, frame(bytes));
        expect(answer.code).to.be.oneOf([Code.OK, Code.INVALID_ARGUMENT]);
        if (answer.code !== Code.OK) expect(answer.error?.reason).to.be.a("string").and.not.empty;
      }),
      { numRuns: 60 },
    );
  });
});

/** A CheckQuotaRequest with one tag, whose key is made of these bytes. */
function mapEntry(key: readonly number[]): Buffer {
  return Buffer.from([0x2a, key.length + 2, 0x0a, key.length, ...key]);
}

import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RecordUsageRequestSchema } from "../../gen/tally/v1/usage_recorder_pb.js";
import { createPrng } from "../../src/traffic/prng.js";
import { frame } from "../server/raw-call.js";

/** Where a server listens. */
export interface Target {
  readonly address: string;
  readonly httpAddress: string;
}

/** One thing that no honest client does: resolves with all that was answered, as text. */
export type Attack = (target: Target) => Promise<string>;

const PATH = "/tally.v1.UsageRecorder/RecordUsage";
const LIMIT_BYTES = 4 * 1024 * 1024;
const MAX_INT64 = 2n ** 63n - 1n;

/** Whoever holds a connection open is let go of after so long; the server may be sooner. */
const HOLD_MS = 2_000;

function record(usage: MessageInitShape<typeof RecordUsageRequestSchema>["usage"]): Uint8Array {
  return toBinary(RecordUsageRequestSchema, create(RecordUsageRequestSchema, { usage }));
}

const VALID = record({ userId: "u", model: "m" });

/** Bodies of gRPC calls; both ports take them. */
const GRPC_BODIES: Readonly<Record<string, Uint8Array>> = {
  "no bytes at all": Buffer.alloc(0),
  "half a prefix": Buffer.from([0, 0]),
  "a prefix that promises more": frame(VALID, { length: 1_000 }),
  "a prefix that promises 4 GiB": frame(VALID, { length: 0xffffffff }),
  "a prefix that promises less": frame(VALID, { length: 1 }),
  "an unknown flag": frame(VALID, { flag: 0x42 }),
  "4 MiB and 1 byte": frame(Buffer.alloc(LIMIT_BYTES + 1, 0x20)),
  "4 MiB of groups": frame(Buffer.alloc(LIMIT_BYTES, 0x0b)),
  "a varint without end": frame(Buffer.alloc(64, 0xff)),
  "a length beyond the end": frame(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])),
  "a lone surrogate": frame(Buffer.from([0x0a, 5, 0x12, 3, 0xed, 0xa0, 0x80])),
  NUL: frame(record({ userId: "a\0b", model: "m\0" })),
  "the largest numbers": frame(
    record({ userId: "u", model: "m", inputTokens: MAX_INT64, outputTokens: MAX_INT64 }),
  ),
  "the year 0": frame(
    record({ userId: "u", model: "m", createTime: { seconds: -62_167_219_200n, nanos: 0 } }),
  ),
  "the end of time": frame(
    record({ userId: "u", model: "m", createTime: { seconds: MAX_INT64, nanos: 2 ** 31 - 1 } }),
  ),
  "__proto__ everywhere": frame(
    record({
      userId: "__proto__",
      model: "constructor",
      provider: "toString",
      tags: Object.fromEntries([
        ["__proto__", "x"],
        ["constructor", "y"],
      ]),
      requestHeaders: Object.fromEntries([["__proto__", "x"]]),
    }),
  ),
};

/** Bodies of calls in JSON. */
const JSON_BODIES: Readonly<Record<string, string | Uint8Array>> = {
  "no JSON": "{",
  "no UTF-8": Buffer.from([0x22, 0xff, 0xfe, 0x22]),
  "deep nesting": '{"usage":{"requestBody":'.concat("[".repeat(100_000)),
  "deep values": `{"usage":{"userId":"u","model":"m","requestBody":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`,
  "a lone surrogate": '{"usage":{"userId":"\\ud800","model":"m"}}',
  "a lone surrogate inside":
    '{"usage":{"userId":"u","model":"m","metadata":{"\\udfff":"\\ud800"}}}',
  "NUL inside": '{"usage":{"userId":"u","model":"m","metadata":{"a":"\\u0000"}}}',
  __proto__: '{"__proto__":{"usage":{}},"usage":{"userId":"u","model":"m","__proto__":1}}',
  "__proto__ inside": '{"usage":{"userId":"u","model":"m","metadata":{"__proto__":{"x":1}}}}',
  "a number too large": '{"usage":{"userId":"u","model":"m","inputTokens":"9223372036854775808"}}',
  "a number of no sense": '{"usage":{"userId":"u","model":"m","inputTokens":1e999}}',
  "the year 0": '{"usage":{"userId":"u","model":"m","createTime":"0000-01-01T00:00:00Z"}}',
  "4 MiB and 1 byte": `"${"x".repeat(LIMIT_BYTES - 1)}"`,
  "half of it": '{"usage":',
};

/** Bytes on a bare connection, of which the first are sent slowly or not at all. */
const RAW_BYTES: Readonly<Record<string, string | Uint8Array>> = {
  silence: "",
  "half a request line": "POST /tally",
  "headers without end": `POST ${PATH} HTTP/1.1\r\nhost: t\r\nx-a: 1\r\n`,
  "a body that never comes": `POST ${PATH} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
  "two lengths": `POST ${PATH} HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "no version": "GET /\r\n\r\n",
  "a TLS hello": Buffer.from([0x16, 3, 1, 0, 0xa5, 1, 0, 0, 0xa1, 3, 3]),
  "half a preface": "PRI * HTTP/2.0\r\n\r\nSM",
  "a frame that lies": Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Buffer.from([0xff, 0xff, 0xff, 1, 4, 0, 0, 0, 1]),
  ]),
  "headers that never end": Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    // CONTINUATION after CONTINUATION, none of them the last.
    Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]),
    ...Array.from({ length: 5_000 }, () => Buffer.from([0, 0, 1, 9, 0, 0, 0, 0, 1, 0x84])),
  ]),
};

/** All of them, by what they do. */
export function attacks(): ReadonlyMap<string, Attack> {
  const found = new Map<string, Attack>();
  const onBoth = (name: string, attack: (address: string) => Promise<string>) => {
    found.set(`${name} (gRPC port)`, ({ address }) => attack(address));
    found.set(`${name} (HTTP port)`, ({ httpAddress }) => attack(httpAddress));
  };
  for (const [name, body] of Object.entries(GRPC_BODIES)) {
    onBoth(name, (address) => callGrpc(address, body));
  }
  for (const [name, bytes] of Object.entries(RAW_BYTES)) {
    onBoth(`bytes: ${name}`, (address) => sendBytes(address, bytes));
  }
  const prng = createPrng(7);
  for (let number = 0; number < 30; number += 1) {
    const bytes = Buffer.from(Array.from({ length: 200 }, () => prng.integer(0, 255)));
    onBoth(`random message ${number}`, (address) => callGrpc(address, frame(bytes)));
    onBoth(`random bytes ${number}`, (address) => sendBytes(address, bytes));
  }
  for (const [name, body] of Object.entries(JSON_BODIES)) {
    found.set(`JSON: ${name}`, ({ httpAddress }) => postJson(httpAddress, body));
  }
  return found;
}

async function postJson(address: string, body: string | Uint8Array): Promise<string> {
  const answer = await fetch(`http://${address}${PATH}`, {
    method: "POST",
    body: body as NonNullable<RequestInit["body"]>,
    headers: { "content-type": "application/json" },
  });
  return `${JSON.stringify([...answer.headers])} ${await answer.text()}`;
}

function callGrpc(address: string, body: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${address}`);
    const seen: unknown[] = [];
    session.on("error", () => undefined);
    session.once("close", () => resolve(JSON.stringify(seen)));
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("response", (headers) => seen.push(headers));
    stream.on("trailers", (trailers) => seen.push(trailers));
    stream.on("error", () => undefined);
    stream.on("close", () => session.destroy());
    stream.resume();
    stream.end(body);
  });
}

function sendBytes(address: string, bytes: string | Uint8Array): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(text));
    socket.write(bytes);
    socket.setTimeout(HOLD_MS, () => socket.destroy());
  });
}

import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import {
  cancelled,
  DomainError,
  deadlineExceeded,
  malformedRequest,
  requestTooLarge,
} from "../errors.js";
import { listenTo } from "./call-events.js";
import type { HttpCall } from "./http-call.js";
import type { HttpFormat } from "./http-format.js";

/** Compressions of requests, and of answers to those who ask for one. */
export const COMPRESSIONS: Compression[] = [compressionGzip, compressionBrotli];

/** How the body of a call is read. */
export interface BodyTerms {
  readonly format: HttpFormat;
  /** Largest message, packed and unpacked, in bytes. */
  readonly maxMessageBytes: number;
  /** Ends reading early. */
  readonly draining?: AbortSignal;
}

const PREFIX_BYTES = 5;
const COMPRESSED_FLAG = 1;

/**
 * The messages of a call, as bytes. The next one is read when it is asked for.
 *
 * @throws DomainError MALFORMED_REQUEST, REQUEST_TOO_LARGE, UNIMPLEMENTED for an unknown
 *   compression, CANCELLED when the caller goes away, or DEADLINE_EXCEEDED
 */
export async function* readMessages(
  call: HttpCall,
  { format, maxMessageBytes, draining }: BodyTerms,
): AsyncGenerator<Uint8Array> {
  const unpack = unpackerOf(call.header(format.encodingHeader), maxMessageBytes);
  const chunks = readChunks(call, draining);
  if (!format.isEnveloped) {
    const body = await readWhole(chunks, maxMessageBytes);
    // Without prefixes there is no telling a message from none: both are its defaults.
    yield unpack === undefined ? body : await unpack(body);
    return;
  }
  for await (const { flags, bytes } of readEnvelopes(chunks, maxMessageBytes)) {
    if (flags === 0) yield bytes;
    else if (flags === COMPRESSED_FLAG && unpack !== undefined) yield await unpack(bytes);
    else throw malformedRequest("a message has a flag that requests do not have");
  }
}

/**
 * The message of a call that has one.
 * @throws DomainError as {@link readMessages}
 */
export async function readOnlyMessage(call: HttpCall, terms: BodyTerms): Promise<Uint8Array> {
  let only: Uint8Array | undefined;
  for await (const message of readMessages(call, terms)) {
    if (only !== undefined) throw wrongCount();
    only = message;
  }
  if (only === undefined) throw wrongCount();
  return only;
}

function wrongCount(): DomainError {
  return malformedRequest("the call does not have exactly one complete request message");
}

type Unpack = (bytes: Uint8Array) => Promise<Uint8Array>;

function unpackerOf(encoding: string | undefined, maxMessageBytes: number): Unpack | undefined {
  if (encoding === undefined || encoding === "identity") return undefined;
  const compression = COMPRESSIONS.find(({ name }) => name === encoding);
  if (compression === undefined) {
    throw new DomainError("UNIMPLEMENTED", "the compression of the request is not supported");
  }
  return async (bytes) => {
    try {
      return await compression.decompress(bytes as Uint8Array<ArrayBuffer>, maxMessageBytes);
    } catch (error) {
      const isTooLarge = error instanceof ConnectError && error.code === Code.ResourceExhausted;
      if (isTooLarge) throw requestTooLarge(maxMessageBytes);
      throw malformedRequest("the compression of the request is broken", error);
    }
  };
}

async function readWhole(chunks: AsyncIterable<Buffer>, maxMessageBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > maxMessageBytes) throw requestTooLarge(maxMessageBytes);
    parts.push(chunk);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

interface Envelope {
  readonly flags: number;
  readonly bytes: Buffer;
}

async function* readEnvelopes(
  chunks: AsyncIterable<Buffer>,
  maxMessageBytes: number,
): AsyncGenerator<Envelope> {
  let parts: Buffer[] = [];
  let held = 0;
  let wanted = PREFIX_BYTES;
  for await (const chunk of chunks) {
    parts.push(chunk);
    held += chunk.length;
    // Joined only when there is enough, so that a long message in small pieces is copied once.
    if (held < wanted) continue;
    let rest = parts.length === 1 ? parts[0]! : Buffer.concat(parts, held);
    while (rest.length >= PREFIX_BYTES) {
      const length = rest.readUInt32BE(1);
      if (length > maxMessageBytes) throw requestTooLarge(maxMessageBytes);
      const end = PREFIX_BYTES + length;
      wanted = end;
      if (rest.length < end) break;
      yield { flags: rest.readUInt8(0), bytes: rest.subarray(PREFIX_BYTES, end) };
      rest = rest.subarray(end);
      wanted = PREFIX_BYTES;
    }
    parts = rest.length === 0 ? [] : [rest];
    held = rest.length;
  }
  if (held > 0) throw wrongCount();
}

/**
 * The body as it comes. Stopping early leaves the request alone: Node's own iterator would close
 * the connection, and the answer with it.
 */
async function* readChunks(call: HttpCall, draining?: AbortSignal): AsyncGenerator<Buffer> {
  const { request } = call;
  const events = listenTo(request, ["readable", "end", "close", "aborted"], draining);
  call.onEnd(() => events.wake());
  try {
    for (;;) {
      if (call.isCancelled()) throw overdueOrGone(call);
      // Before what was read ahead: a caller that never pauses must not keep the server from
      // stopping.
      if (draining?.aborted && !request.readableEnded) return;
      const chunk: Buffer | null = request.read();
      if (chunk !== null) yield chunk;
      else if (request.readableEnded) return;
      else if (request.destroyed) throw overdueOrGone(call);
      else await events.next();
    }
  } finally {
    events.stop();
  }
}

/** Why a call that nobody answered is over. */
export function overdueOrGone(call: HttpCall): DomainError {
  return call.deadlineMs() <= Date.now() ? deadlineExceeded() : cancelled();
}

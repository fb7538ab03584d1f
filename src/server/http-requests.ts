import type { DescMessage, Message } from "@bufbuild/protobuf";
import { shuttingDown } from "../errors.js";
import type { BoundStream } from "./bind.js";
import { decodeNumbers, decodeRequest } from "./decode.js";
import { type BodyTerms, readMessages, readOnlyMessage } from "./http-body.js";
import type { HttpCall } from "./http-call.js";
import { decodeJsonNumbers, decodeJsonRequest } from "./json-decode.js";
import type { IncomingMessage } from "./request-stream.js";

/** A message by HTTP, as bytes of protobuf or JSON. */
export class HttpMessage implements IncomingMessage {
  constructor(
    private readonly schema: DescMessage,
    private readonly bytes: Uint8Array,
    private readonly isJson: boolean,
  ) {}

  get sizeBytes(): number {
    return this.bytes.length;
  }

  decode(): Message {
    const decode = this.isJson ? decodeJsonRequest : decodeRequest;
    return decode(this.schema, this.bytes);
  }

  decodeNumbers(): Message {
    const decode = this.isJson ? decodeJsonNumbers : decodeNumbers;
    return decode(this.schema, this.bytes);
  }
}

/** The requests of a streaming call. */
export interface HttpRequests extends AsyncIterable<IncomingMessage> {
  /**
   * Called when all that was read is answered.
   * @throws DomainError SHUTTING_DOWN when the server stops and the caller was not done
   */
  throwIfCutShort(): void;
}

/**
 * Reads the one request of a call with a stream of responses, or those of a bidirectional one when
 * the handler asks for them. When the server begins to stop, no more are read.
 */
export function httpRequests(
  call: HttpCall,
  { method }: BoundStream,
  terms: Required<BodyTerms>,
): HttpRequests {
  const isBidi = method.methodKind === "bidi_streaming";
  const { format, maxMessageBytes, draining } = terms;
  const toMessage = (bytes: Uint8Array) => new HttpMessage(method.input, bytes, format.isJson);
  return {
    throwIfCutShort() {
      if (isBidi && draining.aborted && !call.request.readableEnded) throw shuttingDown();
    },
    async *[Symbol.asyncIterator]() {
      if (!isBidi) yield toMessage(await readOnlyMessage(call, { format, maxMessageBytes }));
      else for await (const bytes of readMessages(call, terms)) yield toMessage(bytes);
    },
  };
}

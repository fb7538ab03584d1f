import type { DescMessage, Message } from "@bufbuild/protobuf";
import { DomainError } from "../errors.js";
import type { RequestRule, RequestStream, StreamedRequest } from "./handler.js";
import { assertValid } from "./validate.js";

/** One message of a stream, as a transport hands it over. */
export interface IncomingMessage {
  /** What it weighs on the wire, in bytes. */
  readonly sizeBytes: number;
  /** @throws DomainError MALFORMED_REQUEST */
  decode(): Message;
  /** What can be read of a message that does not decode. Never throws. */
  decodeNumbers(): Message;
}

/** What is asked of every request of a stream. */
export interface RequestTerms {
  readonly schema: DescMessage;
  readonly rule: RequestRule<DescMessage> | undefined;
  /**
   * Whether the caller may ask this, and may still ask at all. Called before the request is
   * validated, as it may narrow it.
   * @throws what ends the stream
   */
  readonly permit: (request: Message) => void;
}

/** Decodes and validates messages when they are asked for. */
export function createRequestStream(
  incoming: AsyncIterable<IncomingMessage>,
  { schema, rule, permit }: RequestTerms,
): RequestStream<DescMessage> {
  function judge(arrived: IncomingMessage): StreamedRequest<DescMessage> {
    const { sizeBytes } = arrived;
    const { message, malformed } = decode(arrived);
    permit(message);
    const error = malformed ?? invalid(message);
    return { message, sizeBytes, error };
  }

  function invalid(message: Message): DomainError | undefined {
    return domainErrorOf(() => assertValid(schema, message, rule));
  }

  return {
    async *judged() {
      for await (const arrived of incoming) yield judge(arrived);
    },
    async *[Symbol.asyncIterator]() {
      for await (const arrived of incoming) {
        const { message, error } = judge(arrived);
        if (error !== undefined) throw error;
        yield message;
      }
    },
  };
}

function decode(arrived: IncomingMessage): { message: Message; malformed?: DomainError } {
  try {
    return { message: arrived.decode() };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { message: arrived.decodeNumbers(), malformed: error };
  }
}

/** What goes wrong by the caller's doing; anything else is thrown on. */
function domainErrorOf(work: () => void): DomainError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

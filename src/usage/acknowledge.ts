import { isUnavailable } from "../database/errors.js";
import { DomainError, type ErrorKind, invalidField } from "../errors.js";
import { type InFlightLimits, inOrder, type Sized } from "./in-order.js";

/** One request of a stream. */
export interface StreamItem<R> extends Sized {
  readonly sequence: bigint;
  readonly request: R;
  /** Why the request is bad, if it is. */
  readonly error: DomainError | undefined;
}

/** What became of an item for good. It acknowledges all items up to it. */
export type Acknowledgement<A> = { readonly sequence: bigint } & (
  | { readonly answer: A }
  | { readonly error: unknown }
);

/** The end of an item, or that the stream ends before it. */
type ItemEnd<A> = Acknowledgement<A> | { readonly streamError: unknown };

/** Errors that say nothing about the item: the same may go well later. */
const PASSING: ReadonlySet<ErrorKind> = new Set([
  "unavailable",
  "overloaded",
  "deadline-exceeded",
  "cancelled",
]);

/**
 * Records the items of a stream, many at once, and acknowledges them in their order, so that one
 * number says how far a stream has come. Answers in the order of commits would be at most a batch
 * earlier, and a client would have to remember every item that is missing among them.
 *
 * @throws what passes, for an item that it kept from being recorded, after the acknowledgements
 *   before it: told of the item it would count as acknowledged. INVALID_FIELD for a sequence that
 *   does not grow, likewise; what reading the items throws.
 */
export async function* acknowledge<R, A>(
  items: AsyncIterable<StreamItem<R>>,
  record: (request: R) => Promise<A>,
  limits: InFlightLimits,
): AsyncGenerator<Acknowledgement<A>> {
  let last = 0n;
  let streamError: { readonly streamError: unknown } | undefined;

  async function begin(item: StreamItem<R>): Promise<ItemEnd<A>> {
    streamError ??= outOfOrder(item, last);
    // What comes behind the end of a stream is not acknowledged, so there is no use in recording it.
    if (streamError !== undefined) return streamError;
    const { sequence, request, error } = item;
    last = sequence;
    if (error !== undefined) return { sequence, error };
    try {
      return { sequence, answer: await record(request) };
    } catch (reason) {
      if (!isPassing(reason)) return { sequence, error: reason };
      streamError ??= { streamError: reason };
      return { streamError: reason };
    }
  }

  for await (const end of inOrder(items, begin, limits)) {
    if ("streamError" in end) throw end.streamError;
    yield end;
  }
}

/** An item without a sequence cannot be answered; its own error tells why it has none. */
function outOfOrder(
  { sequence, error }: StreamItem<unknown>,
  last: bigint,
): { readonly streamError: unknown } | undefined {
  if (sequence > last) return undefined;
  if (sequence <= 0n && error !== undefined) return { streamError: error };
  const rule = `must be greater than the one before it on the stream, ${last}`;
  return { streamError: invalidField("sequence", sequence, rule) };
}

function isPassing(error: unknown): boolean {
  return error instanceof DomainError ? PASSING.has(error.kind) : isUnavailable(error);
}

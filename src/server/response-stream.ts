/**
 * The responses that `answer` gives once `admit` has let the call in. Unlike a generator, it hands
 * on `return` at once and not only at the next response, so that a handler's own iterator can end
 * what it waits for.
 *
 * @param admit - called at the first `next`; what it throws is the end of the responses.
 * @param map - makes what the transport sends of each response.
 */
export function answerAfter<A, T, U>(
  admit: () => A | Promise<A>,
  answer: (admission: A) => AsyncIterable<T>,
  map: (response: T) => U,
): AsyncIterable<U> {
  let responses: AsyncIterator<T> | undefined;
  let isOver = false;

  async function next(): Promise<IteratorResult<U>> {
    if (responses === undefined) {
      const admission = await admit();
      if (isOver) return { done: true, value: undefined };
      responses = answer(admission)[Symbol.asyncIterator]();
    }
    const result = await responses.next();
    return result.done === true ? result : { done: false, value: map(result.value) };
  }

  return {
    [Symbol.asyncIterator]: () => ({
      next,
      async return() {
        isOver = true;
        await responses?.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

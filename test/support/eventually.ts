import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 20;

/**
 * Asks until the answer is neither undefined nor false, and returns it.
 *
 * @param what - the sentence of the error when `timeoutMs` passes first.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}

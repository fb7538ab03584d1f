import { databaseUnavailable } from "../errors.js";

/**
 * Waits for the database no longer than a caller should.
 *
 * @throws DomainError DATABASE_UNAVAILABLE after `limitMs`; what `answer` throws before
 */
export async function withTimeLimit<T>(answer: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(databaseUnavailable()), limitMs);
  });
  try {
    return await Promise.race([answer, limit]);
  } finally {
    clearTimeout(timer);
  }
}

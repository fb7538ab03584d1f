/** Answers one question together with others that wait at the same time. */
export type GroupedCall<T, R> = (item: T) => Promise<R>;

interface Waiter<T, R> {
  readonly item: T;
  readonly resolve: (answer: R) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_GROUP = 256;

/**
 * One question is under way at a time; whoever comes meanwhile waits for the next. Nobody waits for
 * others to come: a lone call is served at once.
 *
 * @param serve - answers a group, in its order; what it throws, everyone of the group hears
 */
export function createGroupedCall<T, R>(
  serve: (group: readonly T[]) => Promise<readonly R[]>,
): GroupedCall<T, R> {
  let waiters: Waiter<T, R>[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    // Lets the other calls that arrived in the same turn of the event loop join.
    await new Promise(setImmediate);
    while (waiters.length > 0) {
      const group = waiters.slice(0, MAX_GROUP);
      waiters = waiters.slice(MAX_GROUP);
      await answer(group);
    }
    isRunning = false;
  }

  async function answer(group: readonly Waiter<T, R>[]): Promise<void> {
    try {
      const answers = await serve(group.map(({ item }) => item));
      group.forEach(({ resolve }, index) => {
        resolve(answers[index]!);
      });
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiters.push({ item, resolve, reject });
      if (isRunning) return;
      isRunning = true;
      void run();
    });
}

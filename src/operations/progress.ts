/** Something that comes forward step by step. */
export interface Progressing {
  /** Whether this is its end. */
  readonly isDone: boolean;
}

/** Leaves out steps that come sooner than the interval after the one before, but never the end. */
export async function* everySoOften<T extends Progressing>(
  steps: AsyncIterable<T>,
  { intervalMs, nowMs }: { readonly intervalMs: number; readonly nowMs: () => number },
): AsyncGenerator<T> {
  let lastMs = nowMs();
  for await (const step of steps) {
    if (!step.isDone && nowMs() - lastMs < intervalMs) continue;
    lastMs = nowMs();
    yield step;
  }
}

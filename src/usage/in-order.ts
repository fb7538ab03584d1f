/** How much may be under way at once. */
export interface InFlightLimits {
  /** Most items that are begun and whose end was not taken yet. Asked anew for each item. */
  readonly items: () => number;
  /** Most bytes of such items together; a larger item goes alone. */
  readonly bytes: () => number;
  /** Undefined when an item may begin now, otherwise when to ask again. */
  readonly admission: () => Promise<void> | undefined;
}

/** An item that weighs something while it is under way. */
export interface Sized {
  readonly sizeBytes: number;
}

interface Begun<O> extends Sized {
  readonly end: Promise<O>;
}

/**
 * Works on many items at once and gives their ends in the order of the items. Items are read only
 * while there is room for them, also for their ends: if nobody takes those, the reading stops.
 *
 * @param begin - must not reject: what can go wrong with an item is one of its ends.
 * @throws what reading throws, after the ends of the items before it.
 */
export async function* inOrder<I extends Sized, O>(
  items: AsyncIterable<I>,
  begin: (item: I) => Promise<O>,
  limits: InFlightLimits,
): AsyncGenerator<O> {
  const begun: Begun<O>[] = [];
  const moved = createNotice();
  const taken = createNotice();
  let bytes = 0;
  let isAbandoned = false;
  let reading: "going on" | "done" | { readonly error: unknown } = "going on";

  function hasRoom(): boolean {
    return begun.length === 0 || (begun.length < limits.items() && bytes < limits.bytes());
  }

  async function read(): Promise<void> {
    for await (const item of items) {
      for (let wait = limits.admission(); wait !== undefined; wait = limits.admission()) await wait;
      if (isAbandoned) return;
      bytes += item.sizeBytes;
      begun.push({ sizeBytes: item.sizeBytes, end: begin(item) });
      moved.give();
      while (!hasRoom() && !isAbandoned) await taken.next();
      if (isAbandoned) return;
    }
  }

  read().then(
    () => {
      reading = "done";
      moved.give();
    },
    (error: unknown) => {
      reading = { error };
      moved.give();
    },
  );
  try {
    for (;;) {
      const first = begun[0];
      if (first !== undefined) {
        const end = await first.end;
        begun.shift();
        bytes -= first.sizeBytes;
        taken.give();
        yield end;
      } else if (reading === "going on") await moved.next();
      else if (reading === "done") return;
      else throw (reading as { readonly error: unknown }).error;
    }
  } finally {
    isAbandoned = true;
    taken.give();
  }
}

/** Wakes one that waits; one that was not waiting hears nothing, so it looks before it waits. */
function createNotice() {
  let give = () => {};
  return {
    give: () => give(),
    next: () =>
      new Promise<void>((resolve) => {
        give = resolve;
      }),
  };
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { expect } from "chai";
import fc from "fast-check";
import { type InFlightLimits, inOrder } from "../../src/usage/in-order.js";

/** An item of the tests. */
interface Item {
  readonly name: number;
  readonly sizeBytes: number;
}

const ROOMY: InFlightLimits = { items: () => 100, bytes: () => 1_000, admission: () => undefined };

function items(count: number, sizeBytes = 1): Item[] {
  return Array.from({ length: count }, (_, name) => ({ name, sizeBytes }));
}

async function* given(list: readonly Item[], onRead: (item: Item) => void = () => {}) {
  for (const item of list) {
    onRead(item);
    yield item;
  }
}

/** Work that ends when the test says so. */
function createWork() {
  const ends = new Map<number, () => void>();
  return {
    begun: () => [...ends.keys()],
    begin: ({ name }: Item) =>
      new Promise<number>((resolve) => ends.set(name, () => resolve(name))),
    end: (name: number) => ends.get(name)?.(),
  };
}

/** Takes everything, and what it has taken so far. */
function takeAll(ends: AsyncIterable<number>) {
  const taken: number[] = [];
  const done = (async () => {
    for await (const end of ends) taken.push(end);
  })();
  return { taken, done };
}

/** Long enough for everything that is not waiting for something else. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}

describe("inOrder", () => {
  it("works on items at once and gives their ends in order", async () => {
    const work = createWork();
    const { taken, done } = takeAll(inOrder(given(items(3)), work.begin, ROOMY));
    await settle();
    expect(work.begun()).to.deep.equal([0, 1, 2]);
    work.end(2);
    work.end(1);
    await settle();
    expect(taken).to.deep.equal([]);
    work.end(0);
    await done;
    expect(taken).to.deep.equal([0, 1, 2]);
  });

  it("begins no more items than the limit", async () => {
    const work = createWork();
    const limits = { ...ROOMY, items: () => 2 };
    const { taken, done } = takeAll(inOrder(given(items(4)), work.begin, limits));
    await settle();
    expect(work.begun()).to.deep.equal([0, 1]);
    work.end(1);
    await settle();
    expect(work.begun(), "ended, but not taken").to.deep.equal([0, 1]);
    work.end(0);
    await settle();
    expect(work.begun()).to.deep.equal([0, 1, 2, 3]);
    work.end(2);
    work.end(3);
    await done;
    expect(taken).to.deep.equal([0, 1, 2, 3]);
  });

  it("begins no more bytes than the limit, but a large item alone", async () => {
    const work = createWork();
    const limits = { ...ROOMY, bytes: () => 10 };
    const sizes = [4, 4, 4, 50, 1].map((sizeBytes, name) => ({ name, sizeBytes }));
    const { done } = takeAll(inOrder(given(sizes), work.begin, limits));
    await settle();
    expect(work.begun()).to.deep.equal([0, 1, 2]);
    work.end(0);
    await settle();
    expect(work.begun()).to.deep.equal([0, 1, 2, 3]);
    work.end(1);
    work.end(2);
    await settle();
    expect(work.begun()).to.deep.equal([0, 1, 2, 3]);
    work.end(3);
    await settle();
    work.end(4);
    await done;
  });

  it("reads no further when nobody takes the ends", async () => {
    let read = 0;
    const source = given(items(50), () => {
      read += 1;
    });
    const limits = { ...ROOMY, items: () => 3 };
    const ends = inOrder(source, async ({ name }) => name, limits)[Symbol.asyncIterator]();
    await ends.next();
    await settle();
    expect(read).to.equal(4);
    await ends.return(undefined);
    await settle();
    expect(read).to.equal(4);
  });

  it("waits until an item may begin", async () => {
    const work = createWork();
    let letIn = () => {};
    let isFull = true;
    const full = new Promise<void>((resolve) => {
      letIn = resolve;
    });
    const limits = { ...ROOMY, admission: () => (isFull ? full : undefined) };
    const { done } = takeAll(inOrder(given(items(1)), work.begin, limits));
    await settle();
    expect(work.begun()).to.deep.equal([]);
    isFull = false;
    letIn();
    await settle();
    expect(work.begun()).to.deep.equal([0]);
    work.end(0);
    await done;
  });

  it("fails as the reading does, after the ends of what was read", async () => {
    async function* breaking() {
      yield* given(items(2));
      throw new Error("cut");
    }
    const { taken, done } = takeAll(inOrder(breaking(), async ({ name }) => name, ROOMY));
    const error = await done.catch((reason: Error) => reason.message);
    expect(error).to.equal("cut");
    expect(taken).to.deep.equal([0, 1]);
  });

  it("gives every end once and in order, whatever ends first and however much may be under way", () =>
    fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.nat(20), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 30 }),
        async (scheduler, sizes, mostItems, mostBytes) => {
          let underWay = 0;
          const list = sizes.map((sizeBytes, name) => ({ name, sizeBytes }));
          const begin = async ({ name }: Item) => {
            underWay += 1;
            expect(underWay).to.be.at.most(mostItems);
            await scheduler.schedule(Promise.resolve());
            return name;
          };
          const limits = { ...ROOMY, items: () => mostItems, bytes: () => mostBytes };
          const taken: number[] = [];
          const done = (async () => {
            for await (const end of inOrder(given(list), begin, limits)) {
              underWay -= 1;
              taken.push(end);
            }
          })();
          await scheduler.waitFor(done);
          expect(taken).to.deep.equal(list.map(({ name }) => name));
        },
      ),
      { numRuns: 60 },
    ));
});

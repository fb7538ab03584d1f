/** A growing set of block ids. Ids that lie close together take about one bit each. */
export interface BlockSet {
  has(id: number): boolean;
  add(id: number): void;
}

const PAGE_BITS = 4_096;
const WORD_BITS = 32;

/**
 * Makes an empty set for whole numbers from 0 to 2^53 - 1. Traces number their blocks upwards,
 * so a map of bit pages holds millions of ids in the memory of a few thousand, where a `Set`
 * takes some 40 bytes each and ends at 2^24.
 */
export function createBlockSet(): BlockSet {
  const pages = new Map<number, Uint32Array>();
  return {
    has(id) {
      const word = pages.get(Math.floor(id / PAGE_BITS))?.[wordOf(id)];
      return word !== undefined && (word & maskOf(id)) !== 0;
    },
    add(id) {
      const number = Math.floor(id / PAGE_BITS);
      let page = pages.get(number);
      if (page === undefined) {
        page = new Uint32Array(PAGE_BITS / WORD_BITS);
        pages.set(number, page);
      }
      page[wordOf(id)]! |= maskOf(id);
    },
  };
}

function wordOf(id: number): number {
  return Math.floor((id % PAGE_BITS) / WORD_BITS);
}

function maskOf(id: number): number {
  return 1 << (id % WORD_BITS);
}

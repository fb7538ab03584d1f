import { type Cache, MAX_ENTRY_LENGTH } from "./cache.js";

/** Options of {@link createMemoryCache}. */
export interface MemoryCacheOptions {
  /** Milliseconds on a clock that never goes back. */
  readonly nowMs: () => number;
  /** Most entries. Default 10,000. */
  readonly maxEntries?: number;
  /** Most characters of all keys and texts. Default 16 million, up to 32 MB. */
  readonly maxLength?: number;
}

interface Entry {
  readonly text: string;
  readonly expireMs: number;
}

/** Makes a cache in this process; beyond its bounds the least recently used entries go. */
export function createMemoryCache(options: MemoryCacheOptions): Cache {
  const { nowMs, maxEntries = 10_000, maxLength = 16_000_000 } = options;
  // A Map iterates in order of insertion: what is used is inserted anew, so the first is the oldest.
  const entries = new Map<string, Entry>();
  let length = 0;

  function remove(key: string): boolean {
    const entry = entries.get(key);
    if (entry === undefined) return false;
    length -= key.length + entry.text.length;
    return entries.delete(key);
  }

  function read(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (entry === undefined || entry.expireMs > nowMs()) return entry;
    remove(key);
    return undefined;
  }

  function insert(key: string, entry: Entry): void {
    entries.set(key, entry);
    length += key.length + entry.text.length;
    for (const [oldest] of entries) {
      if (entries.size <= maxEntries && length <= maxLength) return;
      remove(oldest);
    }
  }

  return {
    async get(key) {
      const entry = read(key);
      if (entry === undefined) return undefined;
      remove(key);
      insert(key, entry);
      return entry.text;
    },
    async set(key, text, ttlMs) {
      remove(key);
      if (text.length <= MAX_ENTRY_LENGTH) insert(key, { text, expireMs: nowMs() + ttlMs });
    },
    async delete(key) {
      remove(key);
    },
    async deleteMatching(prefix, isUnwanted) {
      let removed = 0;
      for (const key of entries.keys()) {
        if (!key.startsWith(prefix) || !isUnwanted(key)) continue;
        // One that expired is gone already.
        if (read(key) !== undefined && remove(key)) removed += 1;
      }
      return { removed, isComplete: true };
    },
    async stop() {
      entries.clear();
      length = 0;
    },
  };
}

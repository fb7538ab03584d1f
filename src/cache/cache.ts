/**
 * Keeps texts for a while, for what costs more to make than to keep. It is never the truth: an entry
 * may be gone, or be what somebody else wrote, at any moment. Nothing here ever rejects.
 */
export interface Cache {
  /**
   * The text under a key, at most {@link MAX_ENTRY_LENGTH} of it. Undefined: there is none, or the
   * cache cannot tell now. What is there and is no text reads as "".
   */
  get(key: string): Promise<string | undefined>;
  /** Keeps a text, which must not be empty, in place of whatever is there. */
  set(key: string, text: string, ttlMs: number): Promise<void>;
  /** Removes an entry, if it is there. */
  delete(key: string): Promise<void>;
  /** Removes every entry whose key begins with a text and is wanted gone. */
  deleteMatching(prefix: string, isUnwanted: (key: string) => boolean): Promise<Removal>;
  /** Forgets what is kept in this process, and closes connections. */
  stop(): Promise<void>;
}

/** What came of removing entries. */
export interface Removal {
  /** How many are gone. */
  readonly removed: number;
  /** False: the cache could not be asked, or not to the end. */
  readonly isComplete: boolean;
}

/** The longest text that is kept or read, in bytes: whatever lies under a key costs no more memory. */
export const MAX_ENTRY_LENGTH = 1_048_576;

import type { Logger } from "pino";
import type { Database } from "../database/database.js";
import type { PriceVersion } from "../pricing/price.js";
import { readPriceVersions } from "./price-version-store.js";

/**
 * Every content that a price ever had, by version number, so that a record can show the prices it
 * was priced with long after they changed.
 */
export interface PriceVersions {
  /** The content of one version; undefined for an unknown number. */
  find(version: bigint): Promise<PriceVersion | undefined>;
  /**
   * The contents of versions; one query for all that are not remembered, none when all are.
   * Unknown numbers are left out.
   */
  findAll(versions: Iterable<bigint>): Promise<ReadonlyMap<bigint, PriceVersion>>;
  /** Saves the query for versions that are at hand. */
  remember(versions: Iterable<PriceVersion>): void;
}

/** Options of {@link createPriceVersions}. */
export interface PriceVersionsOptions {
  readonly database: Pick<Database, "knex">;
  readonly logger: Logger;
  /** Most versions remembered; the least recently used goes first. Default 20,000, some 10 MB. */
  readonly capacity?: number;
}

/** Makes a view of price_versions that reads each version once: a version never changes. */
export function createPriceVersions(options: PriceVersionsOptions): PriceVersions {
  const { database, logger, capacity = 20_000 } = options;
  // A Map iterates in order of insertion: what is used is inserted anew, so the first is the oldest.
  const known = new Map<bigint, PriceVersion>();

  function remember(version: PriceVersion): void {
    known.delete(version.version);
    known.set(version.version, version);
    if (known.size <= capacity) return;
    const oldest = known.keys().next();
    if (oldest.done === false) known.delete(oldest.value);
  }

  async function read(versions: readonly bigint[]): Promise<readonly PriceVersion[]> {
    const { entries, unreadable } = await readPriceVersions(database.knex, versions);
    for (const { id, cause } of unreadable) {
      logger.error({ version: id, err: cause }, "price version cannot be read");
    }
    return entries;
  }

  async function findAll(versions: Iterable<bigint>): Promise<ReadonlyMap<bigint, PriceVersion>> {
    const found = new Map<bigint, PriceVersion>();
    const missing = new Set<bigint>();
    for (const number of versions) {
      const version = known.get(number);
      if (version === undefined) missing.add(number);
      else found.set(number, version);
    }
    if (missing.size > 0) {
      for (const version of await read([...missing])) found.set(version.version, version);
    }
    for (const version of found.values()) remember(version);
    return found;
  }

  return {
    findAll,
    async find(version) {
      const hit = known.get(version);
      if (hit === undefined) return (await findAll([version])).get(version);
      remember(hit);
      return hit;
    },
    remember(versions) {
      for (const version of versions) remember(version);
    },
  };
}

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Provider } from "@pydantic/genai-prices";

/** The price collection that the npm package @pydantic/genai-prices carries. */
export interface GenaiCollection {
  /** Version of the package. */
  readonly version: string;
  /**
   * Providers with their models and prices, in the collection's order, which its matching heeds.
   */
  readonly providers: readonly Provider[];
}

const PACKAGE = "@pydantic/genai-prices";

/**
 * Loads the bundled collection, about 1 MB that only an import of prices needs. Never touches
 * the network: `waitForUpdate` answers with the bundled data as long as nobody has called
 * the package's `updatePrices`.
 */
export async function loadGenaiCollection(): Promise<GenaiCollection> {
  const { waitForUpdate } = await import("@pydantic/genai-prices");
  const providers = await waitForUpdate();
  if (providers === null) throw new Error(`${PACKAGE}: holds no data`);
  return { version: await readVersion(), providers };
}

/** The package exports no package.json, so it is found beside the entry point. */
async function readVersion(): Promise<string> {
  const entryPoint = createRequire(import.meta.url).resolve(PACKAGE);
  const text = await readFile(join(dirname(entryPoint), "..", "package.json"), "utf8");
  return String(JSON.parse(text).version);
}

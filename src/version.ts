import { readFileSync } from "node:fs";

/** Where package.json lies, seen from `src/` and from `dist/src/`. */
const PLACES = ["../package.json", "../../package.json"];

/** Tally's version as its package.json has it: "0.1.0". */
export function readVersion(): string {
  for (const place of PLACES) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), "utf8");
      return String(JSON.parse(text).version);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return "unknown";
}

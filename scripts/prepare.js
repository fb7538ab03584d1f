/**
 * What npm runs after an install: builds, where the compiler is installed. A production install
 * (`npm ci --omit=dev`) has none; it is given `dist/` by whoever makes it.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
if (existsSync(compiler)) {
  const { status } = spawnSync("npm", ["run", "-s", "build"], { stdio: "inherit", shell: true });
  process.exitCode = status ?? 1;
}

import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { toDatabaseUrl } from "../support/app.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { runCommand } from "../support/run-command.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { installStep, prepareOrSkip } from "./toolchains.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What the Dockerfile and docs/deployment.md install, without the programs that build. */
describe("a production install", () => {
  let folder: TemporaryDirectory;
  let database: TestDatabase;

  before(function () {
    return prepareOrSkip(this, async () => {
      folder = await createTemporaryDirectory();
      for (const name of ["package.json", "package-lock.json", ".npmrc", "bin", "scripts"]) {
        await cp(join(root, name), join(folder.path, name), { recursive: true });
      }
      const flags = ["--omit=dev", "--omit=optional", "--prefer-offline", "--no-audit"];
      await installStep("npm", ["ci", ...flags], { cwd: folder.path });
      await cp(join(root, "dist"), join(folder.path, "dist"), { recursive: true });
      database = await createTestDatabase();
    });
  });
  after(async () => {
    await database?.drop();
    await folder?.remove();
  });

  it("has no compiler", async () => {
    const lock = await readFile(join(folder.path, "node_modules/.package-lock.json"), "utf8");
    expect(lock).to.not.contain('"node_modules/typescript"');
    expect(lock).to.contain('"node_modules/pg"');
  });

  it("serves, says that it is well, and makes a first token", async () => {
    const env = {
      DATABASE_URL: toDatabaseUrl(database.connection),
      TALLY_AUTH: "required",
      TALLY_GRPC_ADDRESS: `unix:${folder.path}/tally.sock`,
      TALLY_HTTP_ADDRESS: "127.0.0.1:0",
    };
    const options = { cwd: folder.path, env, timeoutMs: 60_000 };
    const script = join(folder.path, "serve.sh");
    await writeFile(script, SERVE_AND_ASK);
    const { stdout, stderr, exitCode } = await runCommand("bash", [script], options);
    expect(exitCode, stderr).to.equal(0);
    expect(stdout).to.match(/^tally ready grpc=unix:/m);
    expect(stdout).to.match(/^SERVING$/m);
    expect(stdout).to.match(/^tally_\S{20,}$/m);
  });
});

const SERVE_AND_ASK = `set -euo pipefail
coproc node bin/tally.js serve 2>serve.log
read -r ready <&"\${COPROC[0]}" && echo "$ready"
node bin/tally.js health
node bin/tally.js token create --bootstrap --role admin --name root
kill -TERM "$COPROC_PID"
wait "$COPROC_PID"
`;

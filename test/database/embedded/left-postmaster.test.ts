import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { EmbeddedPostgresError } from "../../../src/database/embedded/errors.js";
import { findLeftPostmaster } from "../../../src/database/embedded/left-postmaster.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../../support/temporary-directory.js";

/** Above what any system gives out. */
const NO_PROCESS = 2 ** 30;

describe("findLeftPostmaster", () => {
  let directory: TemporaryDirectory;
  let clusterDir: string;

  beforeEach(async () => {
    directory = await createTemporaryDirectory();
    clusterDir = directory.path;
  });
  afterEach(() => directory.remove());

  async function leave(pid: number, socketDirectory = "."): Promise<void> {
    const lines = [pid, clusterDir, 1_700_000_000, 5432, socketDirectory, "", "1 2", "ready"];
    await writeFile(join(clusterDir, "postmaster.pid"), `${lines.join("\n")}\n`);
    await writeFile(join(clusterDir, ".s.PGSQL.5432.lock"), `${lines.join("\n")}\n`);
  }

  it("finds nothing where no server was", async () => {
    expect(await findLeftPostmaster(clusterDir)).to.equal(undefined);
  });

  it("clears away what a dead server left", async () => {
    await leave(NO_PROCESS);
    expect(await findLeftPostmaster(clusterDir)).to.equal(undefined);
    expect(await readdir(clusterDir)).to.deep.equal([]);
  });

  it("does not take a process that works elsewhere for the server", async () => {
    await leave(process.pid);
    expect(await findLeftPostmaster(clusterDir)).to.equal(undefined);
    expect(await readdir(clusterDir)).to.deep.equal([]);
  });

  it("removes a temporary socket directory, unless it is still in use", async () => {
    const host = join(clusterDir, "tally-socket-x");
    await mkdir(host);
    await leave(NO_PROCESS, host);
    await findLeftPostmaster(clusterDir, { setting: host, host });
    expect(await readdir(clusterDir)).to.contain("tally-socket-x");
    await leave(NO_PROCESS, host);
    await findLeftPostmaster(clusterDir);
    expect(await readdir(clusterDir)).not.to.contain("tally-socket-x");
  });

  it("refuses a directory whose socket is served by a process that cannot be seen", async () => {
    const server = net.createServer().listen(join(clusterDir, ".s.PGSQL.5432"));
    await once(server, "listening");
    await leave(NO_PROCESS);
    const error = await findLeftPostmaster(clusterDir).catch((reason) => reason);
    expect(error).to.be.instanceOf(EmbeddedPostgresError);
    expect(error).to.include({ code: "DIRECTORY_IN_USE" });
    expect(await readdir(clusterDir)).to.contain("postmaster.pid");
    server.close();
  });
});

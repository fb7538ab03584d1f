import { chmod, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { isRunning } from "../../../src/database/embedded/process-table.js";
import { eventually } from "../../support/eventually.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../../support/temporary-directory.js";
import {
  copySeed,
  embed,
  expectKept,
  query,
  removeSeed,
  serverPid,
  serverUid,
  startFailure,
  whileRunning,
} from "./fixture.js";

describe("createEmbeddedPostgres", () => {
  let directory: TemporaryDirectory;
  let dataDir: string;

  beforeEach(async () => {
    directory = await createTemporaryDirectory();
    dataDir = join(directory.path, "data");
    await chmod(directory.path, 0o755);
  });
  afterEach(() => directory.remove());
  after(removeSeed);

  it("makes a database that is durable, checked and closed to others, at the first start", async () => {
    await whileRunning(embed(dataDir), async (connection) => {
      const names = ["data_checksums", "fsync", "synchronous_commit", "full_page_writes"];
      names.push("listen_addresses", "server_encoding", "TimeZone");
      const [settings] = await query(
        connection,
        `select ${names.map((name) => `current_setting('${name}') as "${name}"`).join(", ")}`,
      );
      expect(settings).to.deep.equal({
        data_checksums: "on",
        fsync: "on",
        synchronous_commit: "on",
        full_page_writes: "on",
        listen_addresses: "",
        server_encoding: "UTF8",
        TimeZone: "UTC",
      });
      const { mode, uid } = await stat(connection.host);
      expect(mode & 0o777).to.equal(0o700);
      expect(uid).to.equal(serverUid);
    });
  });

  it("keeps what was written over a restart, and leaves no process when it stops", async () => {
    await copySeed(dataDir);
    const pid = await whileRunning(embed(dataDir), async (connection) => {
      await query(connection, "create table more as select 43 as answer");
      return serverPid(dataDir);
    });
    expect(await isRunning(pid)).to.equal(false);
    expect(await readdir(join(dataDir, "lock"))).to.deep.equal([]);
    await whileRunning(embed(dataDir), async (connection) => {
      await expectKept(connection);
      expect(await query(connection, "select answer from more")).to.deep.equal([{ answer: 43 }]);
    });
  });

  it("keeps the socket in a short place when the path of the data is too long for it", async () => {
    const long = join(directory.path, ...Array<string>(4).fill("d".repeat(40)), "data");
    const host = await whileRunning(embed(long, { durable: false }), async (connection) => {
      expect(connection.host.length).to.be.lessThan(90);
      expect((await stat(connection.host)).mode & 0o777).to.equal(0o700);
      expect(await query(connection, "select 1 as one")).to.deep.equal([{ one: 1 }]);
      expect((await startFailure(embed(long))).code).to.equal("DIRECTORY_IN_USE");
      return connection.host;
    });
    expect(await stat(host).catch(({ code }) => code)).to.equal("ENOENT");
  });

  it("works below a directory that only we may pass", async () => {
    const closed = join(directory.path, "closed");
    await mkdir(closed, { mode: 0o700 });
    const below = join(closed, "a", "data");
    await whileRunning(embed(below, { durable: false }), async (connection) => {
      await query(connection, "create table kept as select 42 as answer");
    });
    await whileRunning(embed(below), expectKept);
  });

  it("ends a start that is cut short, with nothing left running", async () => {
    const postgres = embed(dataDir);
    const failure = postgres.start().then(
      () => "started",
      (error: Error) => error.message,
    );
    await eventually("initdb is at work", async () =>
      (await readdir(dataDir).catch(() => [])).some((name) => name.includes(".initdb-")),
    );
    await postgres.stop();
    expect(await failure).to.match(/aborted/);
    expect(await readdir(dataDir)).to.deep.equal(["lock"]);
    expect(await readdir(join(dataDir, "lock"))).to.deep.equal([]);
  });

  it("shows the end of the server's log when the server does not start", async () => {
    await copySeed(dataDir);
    await rm(join(dataDir, "postgres", "global", "pg_control"));
    const failure = await startFailure(embed(dataDir));
    expect(failure.code).to.equal("START_FAILED");
    expect(failure.message)
      .to.contain(join(dataDir, "postgres.log"))
      .and.match(/pg_control/);
    expect(await readdir(join(dataDir, "lock"))).to.deep.equal([]);
  });

  const refusals = [
    { what: "foreign files", file: "notes.txt", text: "mine", code: "NOT_A_CLUSTER" },
    { what: "data of another version", file: "PG_VERSION", text: "9\n", code: "VERSION_MISMATCH" },
  ];
  for (const { what, file, text, code } of refusals) {
    it(`leaves ${what} alone and says so`, async () => {
      const path = join(dataDir, "postgres", file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      const failure = await startFailure(embed(dataDir));
      expect(failure.code).to.equal(code);
      expect(failure.message).to.contain(dirname(path));
      expect(await readdir(dirname(path))).to.deep.equal([file]);
    });
  }
});

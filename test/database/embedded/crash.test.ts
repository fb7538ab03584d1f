import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { createDatabase } from "../../../src/database/database.js";
import { findLeftPostmaster } from "../../../src/database/embedded/left-postmaster.js";
import { isRunning } from "../../../src/database/embedded/process-table.js";
import type { ServerState } from "../../../src/database/embedded/supervisor.js";
import { eventually } from "../../support/eventually.js";
import { silentLogger } from "../../support/postgres.js";
import { startTallyProcess, type TallyProcess } from "../../support/tally-process.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../../support/temporary-directory.js";
import {
  copySeed,
  embed,
  expectKept,
  isRoot,
  query,
  removeSeed,
  serverPid,
  serverUid,
  startFailure,
  whileRunning,
} from "./fixture.js";

/** "daemon", on every system: a plain user with a name, and not the one that root's server gets. */
const DAEMON_UID = 1;

describe("createEmbeddedPostgres, when processes die", () => {
  let directory: TemporaryDirectory;
  let dataDir: string;

  beforeEach(async () => {
    directory = await createTemporaryDirectory();
    dataDir = directory.path;
    await chmod(dataDir, 0o755);
  });
  afterEach(() => directory.remove());

  /** Starts another process on a directory with data, and commits more. */
  async function startAndWrite(): Promise<TallyProcess> {
    await copySeed(dataDir);
    const tally = startTallyProcess(dataDir);
    expect(await tally.outcome).to.deep.equal({ ready: true });
    const host = join(dataDir, "postgres");
    const connection = { host, port: 5432, user: "tally", database: "tally" };
    await query(connection, "update kept set answer = 0");
    await query(connection, "update kept set answer = 42");
    return tally;
  }

  after(removeSeed);

  it("starts a killed server again at the same place, and the pool finds it", async () => {
    await copySeed(dataDir);
    const states: ServerState[] = [];
    const postgres = embed(dataDir, { onStateChange: (state) => states.push(state) });
    await whileRunning(postgres, async (connection) => {
      const database = createDatabase({ connection, logger: silentLogger });
      await database.ping();
      const killed = await serverPid(dataDir);
      process.kill(killed, "SIGKILL");
      await eventually("the server is back", () => states.includes("ready"));
      const rows = await eventually("the pool has recovered", () =>
        database.knex("kept").catch(() => undefined),
      );
      expect(rows).to.deep.equal([{ answer: 42 }]);
      expect(states).to.deep.equal(["down", "ready"]);
      expect(await serverPid(dataDir)).not.to.equal(killed);
      await database.destroy();
    });
  });

  it("adopts the server of a Tally that was killed alone with its terminal", async () => {
    const tally = await startAndWrite();
    const pid = await serverPid(dataDir);
    await tally.killGroup();
    await whileRunning(embed(dataDir), async (connection) => {
      expect(await serverPid(dataDir)).to.equal(pid);
      await expectKept(connection);
    });
    expect(await isRunning(pid)).to.equal(false);
  });

  it("starts again an adopted server that dies", async () => {
    const states: ServerState[] = [];
    const tally = await startAndWrite();
    await tally.killGroup();
    const postgres = embed(dataDir, { onStateChange: (state) => states.push(state) });
    await whileRunning(postgres, async (connection) => {
      process.kill(await serverPid(dataDir), "SIGKILL");
      await eventually("the server is back", () => states.includes("ready"));
      await expectKept(connection);
    });
  });

  it("stops while it is starting a dead server again", async () => {
    await copySeed(dataDir);
    const states: ServerState[] = [];
    const postgres = embed(dataDir, { onStateChange: (state) => states.push(state) });
    await postgres.start();
    process.kill(await serverPid(dataDir), "SIGKILL");
    await eventually("its death was seen", () => states.includes("down"));
    await postgres.stop();
    expect(await readdir(join(dataDir, "lock"))).to.deep.equal([]);
    expect(await findLeftPostmaster(join(dataDir, "postgres"))).to.equal(undefined);
  });

  it("recovers what was committed after Tally and its server were killed together", async () => {
    const tally = await startAndWrite();
    process.kill(await serverPid(dataDir), "SIGKILL");
    await tally.killGroup();
    await whileRunning(embed(dataDir), expectKept);
  });

  it("starts though the process id of its dead server went to another process", async () => {
    await copySeed(dataDir);
    const user = isRoot ? { uid: serverUid as number, gid: serverUid as number } : {};
    const stranger = spawn("sleep", ["60"], { stdio: "ignore", ...user });
    await writeFile(
      join(dataDir, "postgres", "postmaster.pid"),
      `${stranger.pid}\n${join(dataDir, "postgres")}\n1700000000\n5432\n.\n\n  1234 5678\nready   \n`,
    );
    try {
      await whileRunning(embed(dataDir), expectKept);
      expect(stranger.exitCode ?? stranger.signalCode).to.equal(null);
    } finally {
      stranger.kill();
      await once(stranger, "exit");
    }
  });

  it("makes the database anew after it was killed in the middle of that", async () => {
    const tally = startTallyProcess(dataDir);
    tally.outcome.catch(() => undefined);
    await eventually("initdb is at work", async () => {
      const name = (await readdir(dataDir)).find((entry) => entry.includes(".initdb-"));
      return name && (await readdir(join(dataDir, name))).includes("PG_VERSION");
    });
    await tally.killGroup();
    await whileRunning(embed(dataDir), async (connection) => {
      expect(await query(connection, "select 1 as one")).to.deep.equal([{ one: 1 }]);
    });
    expect((await readdir(dataDir)).sort()).to.deep.equal(["lock", "postgres", "postgres.log"]);
  });

  it("refuses a directory that another process uses, and names that process", async () => {
    const tally = await startAndWrite();
    const failure = await startFailure(embed(dataDir));
    expect(failure.code).to.equal("DIRECTORY_IN_USE");
    expect(failure.message).to.contain(`process ${tally.pid}`).and.contain("TALLY_DATA_DIR");
    await tally.stop();
    await whileRunning(embed(dataDir), expectKept);
  });

  it("lets one of two that start at once on an empty directory have it", async () => {
    const tallies = [startTallyProcess(dataDir), startTallyProcess(dataDir)];
    const outcomes = await Promise.all(tallies.map(({ outcome }) => outcome));
    expect(outcomes.filter(({ ready }) => ready)).to.have.length(1);
    const [loser] = outcomes.filter((outcome) => !outcome.ready);
    expect(loser).to.include({ code: "DIRECTORY_IN_USE" });
    await Promise.all(tallies.map((tally) => tally.stop()));
  });

  it("runs as a plain user, on a directory that root uses later", async () => {
    await chmod(dataDir, 0o777);
    const plainUid = isRoot ? DAEMON_UID : process.geteuid?.();
    const tally = startTallyProcess(dataDir, isRoot ? DAEMON_UID : undefined);
    expect(await tally.outcome).to.deep.equal({ ready: true });
    expect((await stat(join(dataDir, "postgres", "postmaster.pid"))).uid).to.equal(plainUid);
    await tally.stop();
    await whileRunning(embed(dataDir), async (connection) => {
      expect((await stat(join(dataDir, "postgres", "postmaster.pid"))).uid).to.equal(plainUid);
      expect(await query(connection, "select 1 as one")).to.deep.equal([{ one: 1 }]);
    });
  });
});

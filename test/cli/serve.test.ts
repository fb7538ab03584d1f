import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "chai";
import { createTallyClients } from "../../src/traffic/clients.js";
import { eventually } from "../support/eventually.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { runTally, startTally } from "./run-tally.js";
import { serveTally } from "./serving-tally.js";

describe("tally serve", function () {
  this.timeout(120_000);
  let directory: TemporaryDirectory;

  before(async () => {
    directory = await createTemporaryDirectory();
  });
  after(() => directory.remove());

  it("prints one line when it is ready, answers, and stops at SIGTERM", async () => {
    const server = await serveTally(directory.path);
    const clients = createTallyClients(server.address, 1);
    const { embeddedDatabase } = await clients.operations.getServerInfo({});
    clients.close();
    expect(embeddedDatabase).to.equal(true);
    const { exitCode, signal, stdout } = await server.stop();
    expect({ exitCode, signal }).to.deep.equal({ exitCode: 0, signal: null });
    expect(stdout).to.equal(`tally ready grpc=${server.address} http=${server.httpAddress}\n`);
  });

  it("stops as well when it is told so before it is ready", async () => {
    const running = startTally(["serve"], {
      TALLY_DATA_DIR: directory.path,
      TALLY_GRPC_ADDRESS: "127.0.0.1:0",
    });
    // The first line of the log tells that the signals are caught.
    await new Promise((resolve) => running.process.stderr?.once("data", resolve));
    running.process.kill("SIGINT");
    const { exitCode, stderr } = await running.ended;
    expect(exitCode, stderr).to.equal(0);
    expect(stderr).to.include('"msg":"stopped"');
  });

  it("ends at once at a second signal, and cuts calls after the grace time", async () => {
    const env = { TALLY_DATA_DIR: directory.path, TALLY_GRPC_ADDRESS: "127.0.0.1:0" };
    const patient = await startAndOccupy({ ...env, TALLY_SHUTDOWN_GRACE: "10m" });
    patient.running.process.kill("SIGTERM");
    await eventually("it stops", () => patient.running.stderr().includes('"msg":"stopping"'));
    patient.running.process.kill("SIGINT");
    expect((await patient.running.ended).exitCode).to.equal(130);
    patient.connection.destroy();

    const hasty = await startAndOccupy({ ...env, TALLY_SHUTDOWN_GRACE: "50ms" });
    hasty.running.process.kill("SIGTERM");
    expect((await hasty.running.ended).exitCode).to.equal(0);
    hasty.connection.destroy();
  });

  /** A server that cannot stop by itself: somebody is connected and says nothing. */
  async function startAndOccupy(env: Record<string, string>) {
    const running = startTally(["serve"], env);
    const [, host = "", port = ""] = await running.waitForOutput(/grpc=(\S+):(\d+) /m);
    const connection = connect(Number(port), host);
    connection.on("error", () => undefined);
    await once(connection, "connect");
    return { running, connection };
  }

  it("says in one line that its address is taken, and how to go on", async () => {
    const server = await serveTally(directory.path);
    const other = await createTemporaryDirectory();
    try {
      const { exitCode, stderr } = await runTally(["serve"], {
        TALLY_DATA_DIR: other.path,
        TALLY_GRPC_ADDRESS: server.address,
        TALLY_LOG_LEVEL: "silent",
      });
      expect(exitCode).to.equal(1);
      expect(stderr).to.equal(
        `error: cannot listen on ${server.address}: it is in use; stop the process that listens ` +
          "there, or set TALLY_GRPC_ADDRESS to another address\n",
      );
    } finally {
      await server.stop();
      await other.remove();
    }
  });

  it("logs variables that are no settings", async () => {
    const running = startTally(["serve"], {
      TALLY_DATA_DIR: directory.path,
      TALLY_GRPC_ADDRESS: "127.0.0.1:0",
      TALLY_GRPC_ADRESS: "127.0.0.1:1",
      TALLY_LOG_LEVEL: "warn",
    });
    await running.waitForOutput(/^tally ready/m);
    running.process.kill("SIGTERM");
    expect((await running.ended).stderr).to.include('"setting":"TALLY_GRPC_ADRESS"');
  });
});

describe("tally migrate", function () {
  this.timeout(120_000);

  it("prints what it applied, and nothing is left to apply the second time", async () => {
    const directory = await createTemporaryDirectory();
    try {
      const env = { TALLY_DATA_DIR: directory.path, TALLY_LOG_LEVEL: "silent" };
      const first = await runTally(["migrate"], env);
      expect(first.exitCode, first.stderr).to.equal(0);
      expect(first.stdout).to.match(/^applied 0001-catalog\napplied 0002-usage\n(applied .*\n)+$/);
      const second = await runTally(["migrate"], env);
      expect(second).to.deep.include({ exitCode: 0, stdout: "the schema is up to date\n" });
    } finally {
      await directory.remove();
    }
  });
});

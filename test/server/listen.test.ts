import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { createGrpcClient } from "../../src/client/grpc-client.js";
import type { ListenAddress } from "../../src/server/address.js";
import { ListenError, listen } from "../../src/server/listen.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { startQuotaServer } from "./test-server.js";

/** Listens on the unix socket and dies without a chance to remove it. */
const DIE_LISTENING = `
  require("node:net").createServer().listen(process.argv[1], () => {
    process.kill(process.pid, "SIGKILL");
  });
`;

describe("listen", () => {
  let directory: TemporaryDirectory;
  const servers: Server[] = [];

  before(async () => {
    directory = await createTemporaryDirectory();
  });
  after(() => directory.remove());
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  function listenOn(address: ListenAddress): Promise<ListenAddress> {
    const server = createServer();
    servers.push(server);
    return listen(server, address, "TALLY_GRPC_ADDRESS");
  }

  async function refusal(address: ListenAddress): Promise<string> {
    const error = await listenOn(address).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(ListenError);
    return (error as ListenError).message;
  }

  it("tells the port that was taken", async () => {
    const bound = await listenOn({ host: "127.0.0.1", port: 0 });
    expect(bound).to.have.property("port").that.is.greaterThan(0);
    expect(await refusal(bound)).to.match(/^cannot listen on 127\.0\.0\.1:\d+: it is in use; stop/);
  });

  it("replaces the socket of a process that was killed", async () => {
    const path = join(directory.path, "stale.sock");
    const { signal } = spawnSync(process.execPath, ["-e", DIE_LISTENING, path]);
    expect(signal).to.equal("SIGKILL");
    expect(await listenOn({ path })).to.deep.equal({ path });
  });

  it("leaves the socket of a living process alone", async () => {
    const path = join(directory.path, "living.sock");
    await listenOn({ path });
    expect(await refusal({ path })).to.include(`unix:${path}: it is in use; stop the process`);
  });

  it("leaves a file that is no socket alone", async () => {
    const path = join(directory.path, "precious.txt");
    await writeFile(path, "precious");
    expect(await refusal({ path })).to.include("it is in use");
    expect(await readFile(path, "utf8")).to.equal("precious");
  });

  it("says what is wrong with an address that cannot be had", async () => {
    expect(await refusal({ path: join(directory.path, "missing", "s.sock") })).to.match(
      /: its directory is missing or not ours to write to; correct that, or set TALLY_GRPC_ADDRESS/,
    );
    expect(await refusal({ host: "192.0.2.1", port: 0 })).to.equal(
      "cannot listen on 192.0.2.1:0: this machine does not have that address; correct it, " +
        "or set TALLY_GRPC_ADDRESS to another address",
    );
  });
});

describe("a server on a unix socket", () => {
  it("answers", async () => {
    const directory = await createTemporaryDirectory();
    const address = `unix:${join(directory.path, "tally.sock")}`;
    let peer = "";
    const server = await startQuotaServer(
      {
        checkQuota(_request, context) {
          peer = context.peer;
          return { allowed: true };
        },
      },
      { address },
    );
    const client = createGrpcClient(QuotaChecker, address);
    try {
      expect(server).to.include({ address, port: 0 });
      expect((await client.checkQuota({ userId: "u" })).allowed).to.equal(true);
      expect(peer).to.equal("unknown");
    } finally {
      client.close();
      await server.stop();
      await directory.remove();
    }
  });
});

import { setImmediate as nextTurn } from "node:timers/promises";
import { expect } from "chai";
import { createTallyClients } from "../../src/traffic/clients.js";
import { serveTally } from "../cli/serving-tally.js";
import { eventually } from "../support/eventually.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { loadBothPorts } from "./both-ports.js";

describe("a server that is stopped under load on both ports", function () {
  this.timeout(120_000);
  let directory: TemporaryDirectory;

  before(async () => {
    directory = await createTemporaryDirectory();
  });
  after(() => directory.remove());

  it("answers every call that came before, keeps what it acknowledged, and ends well", async () => {
    const server = await serveTally(directory.path);
    const load = loadBothPorts(server, 8);
    await eventually("the load is under way", () => load.acknowledged.length > 200, 60_000);
    expect(load.failed).to.deep.equal([]);
    const signalledMs = performance.now();
    // What was called until now is on its way then.
    await nextTurn();
    await nextTurn();
    const { exitCode, signal } = await server.stop();
    await load.stop();
    expect({ exitCode, signal }).to.deep.equal({ exitCode: 0, signal: null });
    const cut = load.failed.filter(({ sentMs }) => sentMs < signalledMs);
    expect(cut).to.deep.equal([]);
    expect(load.failed).not.to.be.empty;

    const next = await serveTally(directory.path);
    const clients = createTallyClients(next.address, 1);
    const { recorder } = clients;
    await Promise.all(load.acknowledged.map((requestId) => recorder.getUsage({ requestId })));
    const { driftCount, drifts } = await clients.operations.verifyLedger({});
    expect({ driftCount, drifts }).to.deep.equal({ driftCount: 0n, drifts: [] });
    clients.close();
    await next.stop();
  });
});

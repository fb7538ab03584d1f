import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { type ServingTally, serveTally } from "../cli/serving-tally.js";
import { eventually } from "../support/eventually.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { type BothPortsLoad, loadBothPorts } from "./both-ports.js";
import { attacks } from "./hostile-input.js";

/** What no answer may have in it. */
const INSIDE =
  /node:internal|node_modules|\/src\/|\.[jt]s:\d|Error:|RangeError|TypeError|SyntaxError|ECONN|select |insert |postgres|zlib|at Object\./i;

/** Far above what it has when idle, and far below what unlimited requests would take. */
const MAX_RESIDENT_MIB = 400;

describe("hostile input on both ports, under load", function () {
  this.timeout(120_000);
  let directory: TemporaryDirectory;
  let server: ServingTally;
  let load: BothPortsLoad;

  before(async () => {
    directory = await createTemporaryDirectory();
    server = await serveTally(directory.path);
    load = loadBothPorts(server, 2);
    await eventually("the load is under way", () => load.acknowledged.length > 20, 60_000);
  });
  after(async () => {
    await load.stop();
    await server.kill();
    await directory.remove();
  });

  it("ends no process, stops no good call, fills no memory and tells nothing", async () => {
    const everyAttack = [...attacks()];
    const answers = await Promise.all(
      everyAttack.map(async ([name, attack]) => [name, await attack(server)] as const),
    );
    for (const [name, answer] of answers) expect(answer, name).not.to.match(INSIDE);
    const before = load.acknowledged.length;
    await eventually("good calls go on", () => load.acknowledged.length > before + 20);
    expect(load.failed).to.deep.equal([]);
    expect(await residentMib(server.pid)).to.be.lessThan(MAX_RESIDENT_MIB);
    expect(server.stderr()).not.to.include("failed by a defect");
    await load.stop();
    expect((await server.stop()).exitCode).to.equal(0);
  });
});

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

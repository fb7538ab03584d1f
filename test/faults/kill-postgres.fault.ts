import { createPrng, type Prng } from "../../src/traffic/prng.js";
import { serverPid } from "../database/embedded/fixture.js";
import { faultRounds, faultSeed, showProgress } from "../support/fault-settings.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { createReplica, PLAIN_PRICES, type Replica } from "./replica.js";
import { runRounds, untilNothingIsHeld } from "./rounds.js";

/** Leases expire a minute after the last reservation in them, and then are swept. */
const ALL_EXPIRED_MS = 150_000;

describe(`an embedded PostgreSQL that is killed under load (FAULT_SEED=${faultSeed})`, () => {
  let directory: TemporaryDirectory;
  let replica: Replica;

  before(async () => {
    directory = await createTemporaryDirectory();
    replica = createReplica({ dataDir: directory.path });
    await replica.start();
    await replica.apply({ prices: PLAIN_PRICES });
  });
  after(async () => {
    await replica.stop();
    await directory.remove();
  });

  /** Tally starts a server again that was killed, and adopts one whose Tally was. */
  async function strike(prng: Prng): Promise<string> {
    const what = prng.pick(["PostgreSQL", "PostgreSQL and Tally", "Tally"]);
    if (what !== "Tally") process.kill(await serverPid(directory.path), "SIGKILL");
    if (what !== "PostgreSQL") {
      await replica.kill();
      await replica.start();
    }
    return `killed ${what}`;
  }

  it("loses and doubles nothing, passes no limit, and what was held comes back", async () => {
    const prng = createPrng(faultSeed);
    const ledger = await runRounds({
      replicas: [replica],
      rounds: faultRounds(20),
      prng,
      answers: [20, 800],
      strike: () => strike(prng),
      onRound: showProgress,
    });
    await untilNothingIsHeld(ledger, replica, ALL_EXPIRED_MS);
  });
});

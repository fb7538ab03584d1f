import type { ConnectionSettings } from "../../src/database/connection.js";
import { createTallyClients, type TallyClients } from "../../src/traffic/clients.js";
import { type ServingTally, serveTally } from "../cli/serving-tally.js";
import type { Spoken } from "../quota/quota-fixture.js";
import { type DocumentInit, toDatabaseUrl } from "../support/app.js";

/** `tally serve` in a process of its own, which is killed and started again. */
export interface Replica extends Spoken {
  /** Of the process that runs now: another address after each start. */
  readonly clients: TallyClients;
  readonly isRunning: boolean;
  start(): Promise<void>;
  /**
   * Ends it without any warning; calls that are under way fail. Nothing when it does not run.
   *
   * @throws when it has logged that a call failed by a defect
   */
  kill(): Promise<void>;
  /** Stops it as an operator would. Nothing when it does not run. @throws as above */
  stop(): Promise<void>;
}

/** What a replica stores in: a PostgreSQL of its own in a directory, or one that others use, too. */
export type ReplicaStorage =
  | { readonly dataDir: string }
  | { readonly connection: ConnectionSettings };

const CONNECTIONS = 2;

/** Prices of model "plain": each input token costs one nano-USD, and output nothing. */
export const PLAIN_PRICES: NonNullable<DocumentInit["prices"]> = [
  {
    model: "plain",
    price: { tiers: [{ inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 0n }] },
  },
];

/** Starts so many replicas on one database, with the prices of model "plain". */
export async function startReplicas(
  connection: ConnectionSettings,
  count: number,
): Promise<readonly Replica[]> {
  const replicas = Array.from({ length: count }, () => createReplica({ connection }));
  await Promise.all(replicas.map((replica) => replica.start()));
  await replicas[0]!.apply({ prices: PLAIN_PRICES });
  return replicas;
}

/** Makes a replica; nothing happens before `start`. */
export function createReplica(storage: ReplicaStorage): Replica {
  let running: { readonly tally: ServingTally; readonly clients: TallyClients } | undefined;

  async function start(): Promise<void> {
    // A free port each time: one that nobody listens on may be taken by somebody else's connection.
    const tally =
      "dataDir" in storage
        ? await serveTally(storage.dataDir)
        : await serveTally("", undefined, { DATABASE_URL: toDatabaseUrl(storage.connection) });
    const clients = createTallyClients(tally.address, CONNECTIONS);
    running = { tally, clients };
  }

  async function end(how: "kill" | "stop"): Promise<void> {
    if (running === undefined) return;
    const { tally, clients } = running;
    running = undefined;
    const { stderr } = await tally[how]();
    clients.close();
    const defects = stderr.split("\n").filter((line) => line.includes("by a defect"));
    if (defects.length > 0) throw new Error(`calls failed by defects:\n${defects.join("\n")}`);
  }

  const clients = () => {
    if (running === undefined) throw new Error("this replica does not run");
    return running.clients;
  };

  return {
    get isRunning() {
      return running !== undefined;
    },
    get clients() {
      return clients();
    },
    async apply(document) {
      await clients().catalog.applyCatalog({ document });
    },
    start,
    kill: () => end("kill"),
    stop: () => end("stop"),
  };
}

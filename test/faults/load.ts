import { setTimeout as delay } from "node:timers/promises";
import { RpcError } from "../../src/client/grpc-client.js";
import type { TallyClients } from "../../src/traffic/clients.js";
import type { Prng } from "../../src/traffic/prng.js";
import { isPassing } from "../../src/traffic/retry.js";
import { reserving } from "../quota/quota-fixture.js";
import { uniqueId } from "../support/unique-id.js";
import { usage } from "../usage/usage-fixture.js";
import type { OutsideLedger } from "./outside-ledger.js";
import type { Replica } from "./replica.js";

/** Callers that go on while servers come and go. */
export interface LoadPlan {
  readonly replicas: readonly Replica[];
  readonly ledger: OutsideLedger;
  readonly userIds: readonly string[];
  readonly prng: Prng;
  /** Requests under way at once. */
  readonly callers: number;
}

/** A load that runs. */
export interface Load {
  /** Resolves when so many further calls were answered. */
  answers(count: number): Promise<void>;
  /** Sees every request through that was begun. @throws what a caller met that no retry helps */
  stop(): Promise<void>;
}

/** The most that a request reserves, nano-USD. */
const MAX_RESERVED = 1_000;
/** For requests that are recorded or released: longer than any server is away. */
const RESERVATION_SECONDS = 30n;
const RETRY_MS = 10;
const GIVE_UP_MS = 60_000;

/** Starts the callers. Each reserves, and then records, releases, or forgets what it reserved. */
export function startLoad({ replicas, ledger, userIds, prng, callers }: LoadPlan): Load {
  let isStopping = false;
  let answered = 0;
  let waiting: { readonly target: number; readonly resolve: () => void } | undefined;

  /** Asks any server that runs; undefined when there is none, or no answer. */
  async function ask<T>(call: (clients: TallyClients) => Promise<T>): Promise<T | undefined> {
    const running = replicas.filter(({ isRunning }) => isRunning);
    try {
      if (running.length > 0) {
        const answer = await call(prng.pick(running).clients);
        answered += 1;
        if (waiting && answered >= waiting.target) waiting.resolve();
        return answer;
      }
    } catch (error) {
      if (!(error instanceof RpcError && isPassing(error))) throw error;
    }
    await delay(RETRY_MS);
    return undefined;
  }

  /** Asks the same again until there is an answer: what is asked must be idempotent. */
  async function insist<T>(call: (clients: TallyClients) => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    for (;;) {
      const answer = await ask(call);
      if (answer !== undefined) return answer;
      if (performance.now() - startedMs > GIVE_UP_MS) throw new Error("no server comes back");
    }
  }

  async function request(): Promise<void> {
    const userId = prng.pick(userIds);
    const reserved = BigInt(prng.integer(1, MAX_RESERVED));
    const isForgotten = prng.chance(0.1);
    const seconds = isForgotten ? 1n : RESERVATION_SECONDS;
    const requestId = uniqueId("request");
    const check = reserving(userId, reserved, { requestId, reservationTtl: { seconds } });
    const checked = await ask(({ checker }) => checker.checkQuota(check));
    if (!checked?.allowed || isForgotten) return;
    const { reservationId } = checked;
    if (prng.chance(0.1)) {
      await insist(({ checker }) => checker.releaseReservation({ reservationId }));
      return;
    }
    await record({ requestId, userId, reservationId, reserved });
  }

  async function record(made: {
    readonly requestId: string;
    readonly userId: string;
    readonly reservationId: string;
    readonly reserved: bigint;
  }): Promise<void> {
    const { requestId, userId, reservationId } = made;
    const cost = (made.reserved * BigInt(prng.integer(0, 100))) / 100n;
    const told = usage({ requestId, userId, model: "plain", inputTokens: cost, outputTokens: 0n });
    const send = ({ recorder }: TallyClients) =>
      recorder.recordUsage({ usage: told, reservationId });
    ledger.send(requestId, userId, cost);
    // Some callers die, too: they never learn whether their record arrived.
    const answer = prng.chance(0.2) ? await ask(send) : await insist(send);
    if (answer !== undefined) ledger.acknowledge(requestId);
  }

  async function caller(): Promise<void> {
    while (!isStopping) await request();
  }

  const ended = Promise.all(Array.from({ length: callers }, caller));
  ended.catch(() => undefined);
  return {
    async answers(count) {
      const enough = new Promise<void>((resolve) => {
        waiting = { target: answered + count, resolve };
      });
      await Promise.race([enough, ended]);
    },
    async stop() {
      isStopping = true;
      await ended;
    },
  };
}

import { databaseUnavailable } from "../../src/errors.js";
import type { LedgerStore } from "../../src/quota/ledger-store.js";

/** A call on its way: first to be done at the database, then to be answered. */
interface Call {
  readonly replicaId: string;
  readonly run: () => Promise<unknown>;
  answer: { readonly value: unknown } | undefined;
  isDone: boolean;
  /** Unset once the caller has its answer, or has lost hope of it. */
  settle: { resolve(value: unknown): void; reject(error: unknown): void } | undefined;
}

/**
 * The way between replicas and their database, on which calls are done and answered in any order,
 * answers get lost, and calls whose caller has long given up are done all the same.
 */
export interface LedgerNetwork {
  /** A store whose calls wait on the way. */
  connect(replicaId: string, store: LedgerStore): LedgerStore;
  /** Moves one call on: to the database, or back with its answer. */
  step(index: number): Promise<void>;
  /** Tells one caller that the connection broke; the call may still be done. */
  lose(index: number): void;
  /** All calls go through, in the order they were made, and nobody waits any more. */
  drain(): Promise<void>;
  /** A replica is gone: nobody hears its answers. */
  cut(replicaId: string): void;
}

/** Makes an empty network. */
export function createLedgerNetwork(): LedgerNetwork {
  let calls: Call[] = [];

  function send<T>(replicaId: string, run: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = { resolve: resolve as (value: unknown) => void, reject };
      calls.push({ replicaId, run, answer: undefined, isDone: false, settle });
    });
  }

  async function advance(call: Call): Promise<void> {
    if (!call.isDone) {
      call.isDone = true;
      call.answer = { value: await call.run() };
      if (!call.settle) remove(call);
      return;
    }
    call.settle?.resolve(call.answer?.value);
    remove(call);
  }

  function remove(call: Call): void {
    calls = calls.filter((other) => other !== call);
  }

  return {
    connect: (replicaId, store) => ({
      readClock: () => store.readClock(),
      grow: (request) => send(replicaId, () => store.grow(request)),
      release: (holds) => send(replicaId, () => store.release(holds)),
      move: (holds, successor, request) =>
        send(replicaId, () => store.move(holds, successor, request)),
      tend: (number, tendings) => send(replicaId, () => store.tend(number, tendings)),
      readPeriods: (keys) => store.readPeriods(keys),
      notifySettled: (payloads) => store.notifySettled(payloads),
      sweep: (maxLeases) => store.sweep(maxLeases),
    }),
    async step(index) {
      const call = calls[index % Math.max(calls.length, 1)];
      if (call) await advance(call);
    },
    lose(index) {
      const call = calls[index % Math.max(calls.length, 1)];
      call?.settle?.reject(databaseUnavailable());
      if (!call) return;
      call.settle = undefined;
      if (call.isDone) remove(call);
    },
    async drain() {
      while (calls.length > 0) {
        await advance(calls[0]!);
        await new Promise(setImmediate);
      }
    },
    cut(replicaId) {
      for (const call of calls) {
        if (call.replicaId !== replicaId) continue;
        call.settle?.reject(databaseUnavailable());
        call.settle = undefined;
        if (call.isDone) remove(call);
      }
    },
  };
}

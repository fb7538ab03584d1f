import type { LeaseAnswer, LeaseTending } from "../../src/quota/lease.js";
import type { GrowAnswer, GrowRequest, ReservationHold } from "../../src/quota/ledger-messages.js";
import type { LedgerStore } from "../../src/quota/ledger-store.js";
import { BUDGET_ID, type LedgerDatabase } from "./ledger-database.js";

interface Period {
  spent: bigint;
  leased: bigint;
  shortMs: number;
}

interface LeaseRow {
  readonly leaseId: bigint;
  readonly periodStartMs: number;
  readonly replicaId: string;
  amount: bigint;
  version: bigint;
  expireTimeMs: number;
  expiredUntilMs: number;
  tendNumber: bigint;
}

const START_MS = 1_700_000_000_000;
const TIGHT_PART = 20n;

/**
 * The database of the ledger in memory: every call is one step that nothing can interrupt, which is
 * what the locks of the real one amount to.
 */
export function createFakeLedgerDatabase(firstLimit: bigint): LedgerDatabase {
  let nowMs = START_MS;
  let limit = firstLimit;
  let lastLeaseId = 0n;
  const periods = new Map<number, Period>();
  const leases = new Map<bigint, LeaseRow>();
  const outcomes = new Set<string>();
  const successors = new Map<string, string>();

  function periodOf(startMs: number): Period {
    const known = periods.get(startMs);
    if (known) return known;
    const made = { spent: 0n, leased: 0n, shortMs: 0 };
    periods.set(startMs, made);
    return made;
  }

  const freeOf = ({ spent, leased }: Period) => limit - spent - leased;
  const isTight = (period: Period) =>
    freeOf(period) < limit / TIGHT_PART || period.shortMs > nowMs - 3_000;

  function leaseOf(replicaId: string, periodStartMs: number, expireTimeMs: number): LeaseRow {
    for (const lease of leases.values()) {
      if (lease.replicaId === replicaId && lease.periodStartMs === periodStartMs) return lease;
    }
    lastLeaseId += 1n;
    const made = {
      leaseId: lastLeaseId,
      periodStartMs,
      replicaId,
      amount: 0n,
      version: 1n,
      expireTimeMs,
      expiredUntilMs: 0,
      tendNumber: 0n,
    };
    leases.set(made.leaseId, made);
    return made;
  }

  const figuresOf = (period: Period) => ({ limit, spent: period.spent, leased: period.leased });

  const answerOf = ({ leaseId, amount, version }: LeaseRow): LeaseAnswer => ({
    leaseId,
    amount,
    version,
  });

  function grow(replicaId: string, request: GrowRequest): GrowAnswer {
    const rows = request.periods.map(({ periodStartMs, expireTimeMs }) =>
      leaseOf(replicaId, periodStartMs, expireTimeMs),
    );
    const granted = rows.map(() => 0n);
    const refused = rows.map(() => false);
    const free = rows.map(({ periodStartMs }) => freeOf(periodOf(periodStartMs)));
    const admitted = request.callers.map((asks) => {
      const short = asks.filter(({ period, amount }) => {
        const left = free[period]!;
        return left <= 0n || left < amount;
      });
      for (const { period } of short) refused[period] = true;
      if (short.length > 0) return false;
      for (const { period, amount } of asks) {
        free[period]! -= amount;
        granted[period]! += amount;
      }
      return true;
    });
    rows.forEach((lease, index) => {
      const period = periodOf(lease.periodStartMs);
      const extra = request.periods[index]!.extra;
      const half = free[index]! / 2n;
      const tight = free[index]! < limit / TIGHT_PART || period.shortMs > nowMs - 3_000;
      if (!refused[index] && !tight && half > 0n) granted[index]! += extra < half ? extra : half;
      period.leased += granted[index]!;
      if (refused[index]) period.shortMs = nowMs;
      lease.amount += granted[index]!;
      lease.version += 1n;
      lease.expireTimeMs = Math.max(lease.expireTimeMs, request.periods[index]!.expireTimeMs);
    });
    return {
      nowMs,
      admitted,
      periods: rows.map((lease) => ({
        budgetId: BUDGET_ID,
        periodStartMs: lease.periodStartMs,
        ...answerOf(lease),
        ...figuresOf(periodOf(lease.periodStartMs)),
        expireTimeMs: lease.expireTimeMs,
      })),
    };
  }

  /** @returns the holds that counted */
  function end(holds: readonly ReservationHold[]): ReservationHold[] {
    const first = holds[0];
    if (!first) return [];
    const untilMs = Math.max(
      nowMs,
      ...holds.map(({ leaseId }) => leases.get(leaseId)?.expiredUntilMs ?? 0),
    );
    if (first.expireTimeMs <= untilMs || outcomes.has(first.uid)) return [];
    outcomes.add(first.uid);
    const counted = holds.filter(({ leaseId }) => leases.has(leaseId));
    for (const { leaseId, held, periodStartMs } of counted) {
      const lease = leases.get(leaseId)!;
      lease.amount -= held;
      lease.version += 1n;
      periodOf(periodStartMs).leased -= held;
    }
    return counted;
  }

  function release(holds: readonly ReservationHold[]) {
    const released = new Set<string>();
    for (const uid of new Set(holds.map((hold) => hold.uid))) {
      const own = holds.filter((hold) => hold.uid === uid);
      if (end(own).length > 0) released.add(uid);
    }
    return { released, leases: answersOf(holds) };
  }

  function answersOf(holds: readonly { readonly leaseId: bigint }[]): LeaseAnswer[] {
    const ids = new Set(holds.map(({ leaseId }) => leaseId));
    return [...leases.values()].filter(({ leaseId }) => ids.has(leaseId)).map(answerOf);
  }

  function tend(replicaId: string, number: bigint, tendings: readonly LeaseTending[]) {
    const found = tendings.flatMap((tending) => {
      const lease = leases.get(tending.leaseId);
      return lease?.replicaId === replicaId ? [{ tending, lease }] : [];
    });
    for (const { tending, lease } of found) {
      const { give, isExpiring, isUnsure, expireTimeMs } = tending;
      const isChange = give > 0n || isExpiring || isUnsure || lease.expireTimeMs < expireTimeMs;
      if (!isChange || lease.tendNumber >= number) continue;
      lease.amount -= give;
      lease.version += 1n;
      lease.expireTimeMs = Math.max(lease.expireTimeMs, expireTimeMs);
      if (isExpiring) lease.expiredUntilMs = Math.max(lease.expiredUntilMs, nowMs);
      lease.tendNumber = number;
      periodOf(lease.periodStartMs).leased -= give;
    }
    return {
      nowMs,
      leases: found.map(({ lease }) => ({
        ...answerOf(lease),
        ...figuresOf(periodOf(lease.periodStartMs)),
        expireTimeMs: lease.expireTimeMs,
        expiredUntilMs: lease.expiredUntilMs,
        isTight: isTight(periodOf(lease.periodStartMs)),
      })),
    };
  }

  function sweep(): number {
    const expired = [...leases.values()].filter(({ expireTimeMs }) => expireTimeMs < nowMs);
    for (const lease of expired) {
      leases.delete(lease.leaseId);
      periodOf(lease.periodStartMs).leased -= lease.amount;
    }
    return expired.length;
  }

  return {
    storeOf: (replicaId): LedgerStore => ({
      readClock: async () => nowMs,
      grow: async (request) => grow(replicaId, request),
      release: async (holds) => release(holds),
      async move(holds, successor, request) {
        const former = holds[0]!.uid;
        if (successors.get(former) === successor) {
          return grow(replicaId, { ...request, callers: [] });
        }
        const outcome = judgeMove(holds, request);
        if (outcome !== "MOVED") return outcome;
        end(holds);
        successors.set(former, successor);
        return grow(replicaId, request);
      },
      tend: async (number, tendings) => tend(replicaId, number, tendings),
      readPeriods: async (keys) =>
        keys.map((key) => ({ ...key, ...figuresOf(periodOf(key.periodStartMs)) })),
      notifySettled: async () => {},
      sweep: async () => sweep(),
    }),
    async settle({ uid, expireTimeMs, holds }, spends) {
      const full = holds.map((hold) => ({ ...hold, uid, expireTimeMs }));
      end(full);
      holds.forEach(({ periodStartMs }, index) => {
        periodOf(periodStartMs).spent += spends[index]!;
      });
      return answersOf(full);
    },
    async setLimit(next) {
      limit = next;
    },
    nowMs: () => nowMs,
    async advance(ms) {
      nowMs += ms;
    },
    async period(startMs) {
      const { spent, leased } = periodOf(startMs);
      const own = [...leases.values()].filter(({ periodStartMs }) => periodStartMs === startMs);
      return { spent, leased, leases: own.map(({ amount }) => amount) };
    },
  };

  /** What a move would come to, before anything of it is done. */
  function judgeMove(
    holds: readonly ReservationHold[],
    request: GrowRequest,
  ): "MOVED" | "REFUSED" | "ENDED" {
    const first = holds[0];
    const untilMs = Math.max(
      nowMs,
      ...holds.map(({ leaseId }) => leases.get(leaseId)?.expiredUntilMs ?? 0),
    );
    const counted = holds.filter(({ leaseId }) => leases.has(leaseId));
    const isOver = !first || first.expireTimeMs <= untilMs || outcomes.has(first.uid);
    if (isOver || counted.length === 0) return "ENDED";
    const fits = (request.callers[0] ?? []).every(({ period, amount }) => {
      const { periodStartMs } = request.periods[period]!;
      const back = counted.filter((hold) => hold.periodStartMs === periodStartMs);
      const free = back.reduce((sum, { held }) => sum + held, freeOf(periodOf(periodStartMs)));
      return free > 0n && free >= amount;
    });
    return fits ? "MOVED" : "REFUSED";
  }
}

import { expect } from "chai";
import fc from "fast-check";
import { freeOf, type GrownLease, type PeriodKey } from "../../src/quota/lease.js";
import { createLeaseBook, type LeaseBook } from "../../src/quota/lease-book.js";
import type { ReservationTerms } from "../../src/quota/open-reservations.js";

const A = { budgetId: "a", periodStartMs: 0 };
const B = { budgetId: "b", periodStartMs: 0 };
const EXPIRE_MS = 1_000_000;

let count = 0;

function terms(fields: Partial<ReservationTerms> = {}): ReservationTerms {
  count += 1;
  return { uid: `r${count}`, requestId: "", createTimeMs: 0, expireTimeMs: 1_000, ...fields };
}

function grown(
  leaseId: bigint,
  amount: bigint,
  version = 1n,
  expireTimeMs = EXPIRE_MS,
): GrownLease {
  return { leaseId, amount, version, expireTimeMs, limit: 1_000n, spent: 0n, leased: amount };
}

function need(period: typeof A, amount: bigint) {
  return { ...period, amount };
}

function freeIn(book: LeaseBook, period: PeriodKey): bigint {
  const lease = book.lease(period);
  return lease ? freeOf(lease) : 0n;
}

describe("createLeaseBook", () => {
  let book: LeaseBook;

  beforeEach(() => {
    book = createLeaseBook();
  });

  it("has nothing free without a lease", () => {
    expect(book.tryReserve([need(A, 0n)], terms())).to.equal(undefined);
    expect(freeIn(book, A)).to.equal(0n);
    expect(book.lease(A)?.figures).to.equal(undefined);
  });

  it("reserves what is free, to the last unit", () => {
    book.takeGrown(A, grown(1n, 100n));
    const reservation = book.tryReserve([need(A, 60n)], terms({ uid: "first" }));
    expect(reservation?.holds).to.deep.equal([{ ...A, leaseId: 1n, held: 60n }]);
    expect(book.tryReserve([need(A, 41n)], terms())).to.equal(undefined);
    expect(book.tryReserve([need(A, 40n)], terms())).to.not.equal(undefined);
    expect(freeIn(book, A)).to.equal(0n);
    expect(book.find("first")).to.equal(reservation);
  });

  it("needs something left even for nothing", () => {
    book.takeGrown(A, grown(1n, 1n));
    expect(book.tryReserve([need(A, 0n)], terms())).to.not.equal(undefined);
    book.tryReserve([need(A, 1n)], terms());
    expect(book.tryReserve([need(A, 0n)], terms())).to.equal(undefined);
  });

  it("reserves on all budgets or on none", () => {
    book.takeGrown(A, grown(1n, 100n));
    book.takeGrown(B, grown(2n, 10n));
    expect(book.tryReserve([need(A, 50n), need(B, 11n)], terms())).to.equal(undefined);
    expect([freeIn(book, A), freeIn(book, B)]).to.deep.equal([100n, 10n]);
    expect(book.tryReserve([need(A, 50n), need(B, 10n)], terms())).to.not.equal(undefined);
    expect([freeIn(book, A), freeIn(book, B)]).to.deep.equal([50n, 0n]);
  });

  it("makes no reservation that would outlive its lease", () => {
    book.takeGrown(A, grown(1n, 100n, 1n, 10_000));
    expect(book.tryReserve([need(A, 1n)], terms({ expireTimeMs: 9_001 }))).to.equal(undefined);
    expect(book.setAside([need(A, 1n)], terms({ expireTimeMs: 9_001 }))).to.deep.equal([
      need(A, 1n),
    ]);
    expect(book.tryReserve([need(A, 1n)], terms({ expireTimeMs: 9_000 }))).to.not.equal(undefined);
  });

  it("frees a reservation once", () => {
    book.takeGrown(A, grown(1n, 100n));
    book.tryReserve([need(A, 30n)], terms({ uid: "x" }));
    expect(book.end("x")?.uid).to.equal("x");
    expect(book.end("x")).to.equal(undefined);
    expect(freeIn(book, A)).to.equal(100n);
  });

  it("takes answers in the order of their versions, however they arrive", () => {
    book.takeGrown(A, grown(1n, 100n, 5n));
    book.takeAnswers([{ leaseId: 1n, amount: 40n, version: 7n }]);
    book.takeAnswers([{ leaseId: 1n, amount: 90n, version: 6n }]);
    book.takeGrown(A, grown(1n, 200n, 4n));
    expect(freeIn(book, A)).to.equal(40n);
    book.takeAnswers([{ leaseId: 2n, amount: 1_000n, version: 99n }]);
    expect(freeIn(book, A)).to.equal(40n);
  });

  it("keeps a late answer from shortening a lease", () => {
    book.takeGrown(A, grown(1n, 100n, 2n, 50_000));
    book.takeGrown(A, grown(1n, 100n, 1n, 10_000));
    expect(book.tryReserve([need(A, 1n)], terms({ expireTimeMs: 40_000 }))).to.not.equal(undefined);
  });

  it("sets aside what is free for a caller that waits, and asks for the rest", () => {
    book.takeGrown(A, grown(1n, 100n));
    expect(book.setAside([need(A, 130n), need(B, 5n)], terms())).to.deep.equal([
      need(A, 30n),
      need(B, 5n),
    ]);
    // Nobody else gets what was set aside, nor what was asked for when it comes early.
    expect(book.tryReserve([need(A, 1n)], terms())).to.equal(undefined);
    book.takeAnswers([{ leaseId: 1n, amount: 130n, version: 2n }]);
    expect(book.tryReserve([need(A, 1n)], terms())).to.equal(undefined);
  });

  it("asks for nothing that is free, and for a sign of life where nothing is", () => {
    book.takeGrown(A, grown(1n, 100n));
    expect(book.setAside([need(A, 100n)], terms())).to.deep.equal([]);
    expect(book.setAside([need(A, 0n)], terms())).to.deep.equal([need(A, 0n)]);
  });

  it("turns what was set aside into the reservation", () => {
    const needs = [need(A, 30n), need(B, 5n)];
    book.setAside(needs, terms());
    book.takeGrown(A, grown(1n, 30n));
    book.takeGrown(B, grown(2n, 5n));
    const reservation = book.reserveAside(needs, terms());
    expect(reservation.holds.map(({ leaseId, held }) => [leaseId, held])).to.deep.equal([
      [1n, 30n],
      [2n, 5n],
    ]);
    expect([freeIn(book, A), freeIn(book, B)]).to.deep.equal([0n, 0n]);
    book.end(reservation.uid);
    expect([freeIn(book, A), freeIn(book, B)]).to.deep.equal([30n, 5n]);
  });

  it("gives up what was set aside for a caller that was refused", () => {
    book.takeGrown(A, grown(1n, 100n));
    const needs = [need(A, 150n), need(B, 5n)];
    book.setAside(needs, terms());
    book.dropAside(needs);
    expect(freeIn(book, A)).to.equal(100n);
    book.takeGrown(B, grown(2n, 7n));
    expect(freeIn(book, B)).to.equal(7n);
  });

  it("ends a reservation of a lease that was swept without freeing the new one", () => {
    book.takeGrown(A, grown(1n, 100n));
    book.tryReserve([need(A, 60n)], terms({ uid: "old" }));
    book.takeGrown(A, grown(2n, 10n));
    expect(freeIn(book, A)).to.equal(10n);
    book.end("old");
    expect(freeIn(book, A)).to.equal(10n);
  });

  it("lists open reservations by period and by expiry", () => {
    book.takeGrown(A, grown(1n, 100n));
    book.takeGrown(B, grown(2n, 100n));
    book.tryReserve([need(A, 1n)], terms({ uid: "early", expireTimeMs: 500 }));
    book.tryReserve([need(A, 1n), need(B, 1n)], terms({ uid: "late", expireTimeMs: 501 }));
    const uids = (list: readonly { uid: string }[]) => list.map(({ uid }) => uid);
    expect(uids(book.openOn(A))).to.deep.equal(["early", "late"]);
    expect(uids(book.openOn(B))).to.deep.equal(["late"]);
    expect(uids(book.expiredBy(499))).to.deep.equal([]);
    expect(uids(book.expiredBy(500))).to.deep.equal(["early"]);
  });

  it("forgets an expired lease once nothing is held in it", () => {
    book.takeGrown(A, grown(1n, 100n));
    book.tryReserve([need(A, 1n)], terms({ uid: "x" }));
    book.forgetExpired(EXPIRE_MS);
    expect(freeIn(book, A)).to.equal(99n);
    book.end("x");
    book.forgetExpired(EXPIRE_MS - 1);
    expect(freeIn(book, A)).to.equal(100n);
    book.forgetExpired(EXPIRE_MS);
    expect(book.lease(A)?.figures).to.equal(undefined);
  });

  it("never promises more than the lease, in any order of events", () => {
    const events = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant("reserve" as const), amount: fc.bigInt(0n, 50n) }),
        fc.record({ kind: fc.constant("wait" as const), amount: fc.bigInt(0n, 50n) }),
        fc.record({ kind: fc.constant("end" as const), index: fc.nat() }),
        fc.record({ kind: fc.constant("answer" as const), index: fc.nat() }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(events, (steps) => {
        const subject = createLeaseBook();
        subject.takeGrown(A, grown(1n, 0n));
        // The database's side: what it granted, and its answers on their way.
        const database = { amount: 0n, version: 1n };
        let waiting: { amount: bigint; asked: bigint; version: bigint; amountThen: bigint }[] = [];
        const open = new Map<string, bigint>();
        for (const step of steps) {
          if (step.kind === "reserve") {
            const reservation = subject.tryReserve([need(A, step.amount)], terms());
            if (reservation) open.set(reservation.uid, step.amount);
          } else if (step.kind === "wait") {
            const [ask] = subject.setAside([need(A, step.amount)], terms());
            database.amount += ask?.amount ?? 0n;
            database.version += 1n;
            waiting.push({
              amount: step.amount,
              asked: ask?.amount ?? 0n,
              version: database.version,
              amountThen: database.amount,
            });
          } else if (step.kind === "end" && open.size > 0) {
            const uid = [...open.keys()][step.index % open.size]!;
            database.amount -= open.get(uid)!;
            database.version += 1n;
            open.delete(uid);
            subject.takeAnswers([{ leaseId: 1n, ...database }]);
            subject.end(uid);
          } else if (step.kind === "answer" && waiting.length > 0) {
            const answer = waiting[step.index % waiting.length]!;
            waiting = waiting.filter((other) => other !== answer);
            subject.takeGrown(A, grown(1n, answer.amountThen, answer.version));
            const { uid } = subject.reserveAside([need(A, answer.amount)], terms());
            open.set(uid, answer.amount);
          }
          const promised = [...open.values()].reduce((sum, amount) => sum + amount, 0n);
          expect(promised <= database.amount).to.equal(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

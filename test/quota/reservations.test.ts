import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { reserve, reserving, standing, untilKnown, userWithLimit } from "./quota-fixture.js";

const ONE_SECOND = { seconds: 1n };

describe("reservations", () => {
  let app: TestApp;
  let other: TestApp;

  before(async () => {
    app = await startTestApp();
    other = await startTestApp({ replicaOf: app });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await other.stop();
    await app.stop();
  });

  async function fits(userId: string, nanoUsd: bigint, replica = app): Promise<boolean> {
    return (await replica.clients.checker.checkQuota(reserving(userId, nanoUsd))).allowed;
  }

  const release = (reservationId: string, replica = app) =>
    replica.clients.checker.releaseReservation({ reservationId });

  it("hold their amount until their time is up", async () => {
    const userId = await userWithLimit(app, 100n);
    await untilKnown(other, userId);
    const before = Date.now();
    const { expireTime } = await reserve(app, userId, 60n, { reservationTtl: { seconds: 90n } });
    const ttlMs = Number(expireTime!.seconds) * 1_000 + expireTime!.nanos / 1e6 - before;
    expect(ttlMs).to.be.within(89_000, 91_500);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 60n });
    expect(await fits(userId, 41n)).to.equal(false);
    expect(await fits(userId, 41n, other)).to.equal(false);
  });

  it("are not made by a check that was not asked to", async () => {
    const userId = await userWithLimit(app, 100n);
    const { allowed, reservationId } = await app.clients.checker.checkQuota(
      reserving(userId, 60n, { reserve: false }),
    );
    expect([allowed, reservationId]).to.deep.equal([true, ""]);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 0n });
  });

  it("are the same when the same request asks again", async () => {
    const userId = await userWithLimit(app, 100n);
    const requestId = uniqueId("request");
    const first = await reserve(app, userId, 60n, { requestId });
    const again = await reserve(app, userId, 60n, { requestId });
    expect(again.reservationId).to.equal(first.reservationId);
    expect(again.expireTime).to.deep.equal(first.expireTime);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 60n });
  });

  it("are the same when the same request asks many times at once", async () => {
    const userId = await userWithLimit(app, 100n);
    const requestId = uniqueId("request");
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => reserve(app, userId, 60n, { requestId })),
    );
    expect(new Set(answers.map(({ reservationId }) => reservationId)).size).to.equal(1);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 60n });
  });

  it("are nobody else's, even when another asks for a request of the same id", async () => {
    const [rich, poor] = [await userWithLimit(app, 100n), await userWithLimit(app, 0n)];
    const requestId = uniqueId("request");
    const { reservationId } = await reserve(app, rich, 60n, { requestId });
    const denied = await app.clients.checker.checkQuota(reserving(poor, 60n, { requestId }));
    expect([denied.allowed, denied.reservationId]).to.deep.equal([false, ""]);
    const again = await reserve(app, rich, 60n, { requestId });
    expect(again.reservationId).to.equal(reservationId);
  });

  it("are new when a request asks again that was denied, or whose reservation ended", async () => {
    const userId = await userWithLimit(app, 100n);
    const requestId = uniqueId("request");
    const blocker = await reserve(app, userId, 50n);
    const denied = await app.clients.checker.checkQuota(reserving(userId, 60n, { requestId }));
    expect(denied.allowed).to.equal(false);
    await release(blocker.reservationId);
    const first = await reserve(app, userId, 60n, { requestId });
    await release(first.reservationId);
    const second = await reserve(app, userId, 60n, { requestId });
    expect(second.reservationId).to.not.equal(first.reservationId);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 60n });
  });

  it("are released once, on every budget, and the amount is there at once", async () => {
    const userId = await userWithLimit(app, 100n);
    const second = { budgetId: uniqueId("second"), scope: BudgetScope.USER, subject: userId };
    await app.apply({ budgets: [{ ...second, limit: 500n }] });
    const { reservationId } = await reserve(app, userId, 100n);
    const { released, holds } = await release(reservationId);
    expect(released).to.equal(true);
    expect(holds.map(({ budgetId, amount }) => [budgetId, amount])).to.have.deep.members([
      [userId, 100n],
      [second.budgetId, 100n],
    ]);
    await reserve(app, userId, 100n);
    const again = await release(reservationId);
    expect([again.released, again.holds]).to.deep.equal([false, []]);
    for (const budgetId of [userId, second.budgetId]) {
      expect(await standing(app, budgetId), budgetId).to.deep.equal({ spent: 0n, held: 100n });
    }
  });

  it("are released once by many at once", async () => {
    const userId = await userWithLimit(app, 100n);
    await untilKnown(other, userId);
    const { reservationId } = await reserve(app, userId, 30n);
    await reserve(app, userId, 30n);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => release(reservationId, n % 2 === 0 ? app : other)),
    );
    expect(answers.filter(({ released }) => released)).to.have.length(1);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 30n });
  });

  it("are released by another replica, for the good of both", async () => {
    const userId = await userWithLimit(app, 100n);
    await untilKnown(other, userId);
    const { reservationId } = await reserve(app, userId, 100n);
    expect((await release(reservationId, other)).released).to.equal(true);
    expect(await fits(userId, 70n, other)).to.equal(true);
    expect(await fits(userId, 31n)).to.equal(false);
    expect(await fits(userId, 30n)).to.equal(true);
    expect((await release(reservationId)).released).to.equal(false);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
  });

  it("free their amount by themselves when their time is up", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId } = await reserve(app, userId, 100n, { reservationTtl: ONE_SECOND });
    expect(await fits(userId, 1n)).to.equal(false);
    await eventually("the amount is free", () => fits(userId, 100n), 5_000);
    expect((await release(reservationId)).released).to.equal(false);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
  });

  it("of a replica that died are given back when its lease expires", async () => {
    const userId = await userWithLimit(app, 100n);
    const period = { budget_id: userId, period_start: new Date(0) };
    const { knex } = app.database;
    await knex("budget_periods").insert({ ...period, leased: 100 });
    await knex("budget_leases").insert({
      ...period,
      replica_id: randomUUID(),
      amount: 100,
      expire_time: knex.raw("clock_timestamp() + interval '500 milliseconds'"),
    });
    expect(await fits(userId, 1n)).to.equal(false);
    await eventually("the lease is swept", () => fits(userId, 100n), 5_000);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
  });

  it("are refused when their id was made up or altered", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId } = await reserve(app, userId, 100n);
    for (const id of ["forged", `${reservationId}A`]) {
      const error = await rpcFailure(release(id));
      expect([error.codeName, error.reason]).to.deep.equal([
        "INVALID_ARGUMENT",
        "RESERVATION_INVALID",
      ]);
    }
    const empty = await rpcFailure(release(""));
    expect(empty.reason).to.equal("INVALID_FIELD");
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
  });
});

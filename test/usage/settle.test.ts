import { expect } from "chai";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { reserve, reserving, standing, untilKnown, userWithLimit } from "../quota/quota-fixture.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { type UsageInit, usage } from "./usage-fixture.js";

/** 1 nano-USD a token. */
const CENTS = { model: "plain", inputTokens: 0n };

describe("RecordUsage with a reservation", () => {
  let app: TestApp;
  let other: TestApp;

  before(async () => {
    app = await startTestApp();
    const tier = { inputNanoUsdPerMillion: 0n, outputNanoUsdPerMillion: 1_000_000n };
    await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
    other = await startTestApp({ replicaOf: app });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await other.stop();
    await app.stop();
  });

  /** A request of the user that costs so much. */
  function costing(userId: string, nanoUsd: bigint, fields: UsageInit = {}): UsageInit {
    return usage({ ...CENTS, userId, outputTokens: nanoUsd, ...fields });
  }

  /** A user whose budget both replicas have heard of. */
  async function sharedUserWithLimit(limit: bigint): Promise<string> {
    const userId = await userWithLimit(app, limit);
    await untilKnown(other, userId);
    return userId;
  }

  async function record(input: UsageInit, reservationId: string, replica = app) {
    return replica.clients.recorder.recordUsage({ usage: input, reservationId });
  }

  /** Whether so much can be held on the replica; if so, it is. */
  async function fits(replica: TestApp, userId: string, nanoUsd: bigint): Promise<boolean> {
    return (await replica.clients.checker.checkQuota(reserving(userId, nanoUsd))).allowed;
  }

  for (const [what, actual] of [
    ["exactly as held", 100n],
    ["below what was held", 30n],
    ["above what was held", 170n],
    ["nothing", 0n],
  ] as const) {
    it(`posts what was spent and holds nothing any more: ${what}`, async () => {
      const userId = await userWithLimit(app, 1_000n);
      const { reservationId } = await reserve(app, userId, 100n);
      expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
      const answer = await record(costing(userId, actual), reservationId);
      expect(answer.record?.reservationUid).to.match(/^[0-9a-f-]{36}$/);
      expect(await standing(app, userId)).to.deep.equal({ spent: actual, held: 0n });
      expect(await fits(app, userId, 1_001n - actual)).to.equal(false);
      expect(await fits(app, userId, 1_000n - actual)).to.equal(true);
    });
  }

  it("posts more than the limit when that was spent, and tells by how much", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId } = await reserve(app, userId, 100n);
    const { overages } = await record(costing(userId, 101n), reservationId);
    expect(overages.map(({ budgetId, overage }) => [budgetId, overage])).to.deep.equal([
      [userId, 1n],
    ]);
    expect(await fits(app, userId, 0n)).to.equal(false);
  });

  it("settles a reservation that another replica made", async () => {
    const userId = await sharedUserWithLimit(100n);
    const { reservationId } = await reserve(app, userId, 100n);
    await record(costing(userId, 40n), reservationId, other);
    expect(await standing(app, userId)).to.deep.equal({ spent: 40n, held: 0n });
    for (const replica of [app, other]) expect(await fits(replica, userId, 61n)).to.equal(false);
    expect(await fits(app, userId, 60n)).to.equal(true);
    expect(await standing(app, userId)).to.deep.equal({ spent: 40n, held: 60n });
  });

  it("frees nothing when a record that another replica settled is told again", async () => {
    const userId = await sharedUserWithLimit(100n);
    const { reservationId } = await reserve(app, userId, 100n);
    const input = costing(userId, 100n);
    await record(input, reservationId, other);
    expect((await record(input, reservationId)).outcome).to.equal(RecordOutcome.REPLAYED);
    expect(await fits(app, userId, 1n)).to.equal(false);
    expect(await standing(app, userId)).to.deep.equal({ spent: 100n, held: 0n });
  });

  it("holds on while the request is unfinished, however often that is told", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId } = await reserve(app, userId, 100n);
    const input = costing(userId, 100n, { status: UsageStatus.PENDING });
    await record(input, reservationId);
    expect((await record(input, reservationId)).outcome).to.equal(RecordOutcome.REPLAYED);
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
    expect(await fits(app, userId, 1n)).to.equal(false);
    await record({ ...input, status: UsageStatus.COMPLETED }, reservationId);
    expect(await standing(app, userId)).to.deep.equal({ spent: 100n, held: 0n });
  });

  it("settles once, whatever is told again or revised", async () => {
    const userId = await userWithLimit(app, 1_000n);
    const { reservationId } = await reserve(app, userId, 100n);
    await reserve(app, userId, 300n);
    const input = costing(userId, 50n);
    await record(input, reservationId);
    await record(input, reservationId);
    await record({ ...input, outputTokens: 70n }, reservationId);
    await record({ ...input, outputTokens: 80n }, "");
    expect(await standing(app, userId)).to.deep.equal({ spent: 80n, held: 300n });
  });

  it("settles once for two requests, one after the other", async () => {
    const userId = await sharedUserWithLimit(1_000n);
    const { reservationId } = await reserve(app, userId, 100n);
    await reserve(app, userId, 300n);
    await record(costing(userId, 1n), reservationId);
    await record(costing(userId, 2n), reservationId, other);
    expect(await standing(app, userId)).to.deep.equal({ spent: 3n, held: 300n });
  });

  it("settles once for two requests of one batch", async () => {
    const userId = await userWithLimit(app, 1_000n);
    const { reservationId } = await reserve(app, userId, 100n);
    await reserve(app, userId, 300n);
    const requests = [1n, 2n].map((cost) => ({ usage: costing(userId, cost), reservationId }));
    await app.clients.recorder.batchRecordUsage({ requests });
    expect(await standing(app, userId)).to.deep.equal({ spent: 3n, held: 300n });
    expect(await fits(app, userId, 698n)).to.equal(false);
    expect(await fits(app, userId, 697n)).to.equal(true);
  });

  it("charges in full what comes after the reservation expired", async () => {
    const userId = await userWithLimit(app, 100n);
    const reservationTtl = { seconds: 1n };
    const { reservationId } = await reserve(app, userId, 100n, { reservationTtl });
    await eventually("it expires", async () => (await standing(app, userId)).held === 0n);
    await reserve(app, userId, 100n);
    await record(costing(userId, 100n), reservationId);
    expect(await standing(app, userId)).to.deep.equal({ spent: 100n, held: 100n });
  });

  it("charges in full what comes after the reservation was released", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId } = await reserve(app, userId, 60n);
    await app.clients.checker.releaseReservation({ reservationId });
    await reserve(app, userId, 100n);
    await record(costing(userId, 60n), reservationId);
    expect(await standing(app, userId)).to.deep.equal({ spent: 60n, held: 100n });
  });

  it("refuses an id that was made up or altered", async () => {
    const userId = await userWithLimit(app, 100n);
    const { reservationId } = await reserve(app, userId, 100n);
    const last = reservationId.at(-1) === "A" ? "B" : "A";
    const forged = ["x", "AAAA".repeat(30), reservationId.slice(0, -1) + last, `${reservationId}.`];
    for (const id of forged) {
      const input = costing(userId, 1n);
      const error = await rpcFailure(record(input, id));
      expect([error.codeName, error.reason], id).to.deep.equal([
        "INVALID_ARGUMENT",
        "RESERVATION_INVALID",
      ]);
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("reservation_id");
      const { requestId = "" } = input;
      const missing = await rpcFailure(app.clients.recorder.getUsage({ requestId }));
      expect(missing.codeName).to.equal("NOT_FOUND");
    }
    expect(await standing(app, userId)).to.deep.equal({ spent: 0n, held: 100n });
  });

  it("settles many at once on two replicas, each once", async () => {
    const userId = await sharedUserWithLimit(10_000n);
    const reservations = await Promise.all(
      Array.from({ length: 100 }, (_, n) => reserve(n % 2 === 0 ? app : other, userId, 100n)),
    );
    await Promise.all(
      reservations.flatMap(({ reservationId }) => {
        const input = costing(userId, 99n);
        return [app, other].map((replica) => record(input, reservationId, replica));
      }),
    );
    expect(await standing(app, userId)).to.deep.equal({ spent: 9_900n, held: 0n });
  });
});

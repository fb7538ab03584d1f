import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Catalog } from "../gen/tally/v1/catalog_pb.js";
import { Operations } from "../gen/tally/v1/operations_pb.js";
import {
  type CheckQuotaRequest,
  CheckQuotaRequestSchema,
  QuotaChecker,
} from "../gen/tally/v1/quota_checker_pb.js";
import { BudgetScope, BudgetWindowKind } from "../gen/tally/v1/usage_pb.js";
import { createGrpcClient } from "../src/client/grpc-client.js";
import { createRawClient } from "./support/raw-client.js";

/** Users with a budget each; `SHARED` draws on one that it has for itself. */
export const USERS = 1_000;
/** The user whose single budget all calls draw on. */
export const SHARED = USERS;
export const CHECK_QUOTA = "/tally.v1.QuotaChecker/CheckQuota";

const LIMIT = 1_000_000_000_000_000n;
const ESTIMATE = 1_000_000n;
/** Reservations expire while the load goes on, so that their end is part of what is measured. */
const TTL_SECONDS = 2n;

/** Users with a monthly budget each. */
export async function prepareCatalog(address: string): Promise<void> {
  const client = createGrpcClient(Catalog, address, { timeoutMs: 120_000 });
  const numbers = Array.from({ length: USERS + 1 }, (_, index) => index);
  await client.applyCatalog({
    document: {
      users: numbers.map((index) => ({ userId: userOf(index) })),
      budgets: numbers.map((index) => ({
        budgetId: `budget-${index}`,
        scope: BudgetScope.USER,
        subject: userOf(index),
        limit: LIMIT,
        window: { kind: BudgetWindowKind.MONTH },
      })),
    },
  });
  client.close();
}

/** The request of a user, as h2load sends it: without a request id, so that each is a new one. */
export function requestOf(index: number): Uint8Array {
  return toBinary(CheckQuotaRequestSchema, create(CheckQuotaRequestSchema, checkOf(index)));
}

function checkOf(
  index: number,
): Exclude<MessageInitShape<typeof CheckQuotaRequestSchema>, CheckQuotaRequest> {
  return {
    userId: userOf(index),
    provider: "anthropic",
    model: "claude-sonnet-4-5",
    expectation: { case: "estimatedCostNanoUsd", value: ESTIMATE },
    reserve: true,
    reservationTtl: { seconds: TTL_SECONDS },
  };
}

/** Checks under way at once while users get their leases. */
const WARM_UP_IN_FLIGHT = 32;

/** Lets every user have a lease; returns the size of the smallest answer, in bytes. */
export async function warmUp(address: string): Promise<number> {
  const client = createRawClient(address, CHECK_QUOTA);
  const sizes: number[] = [];
  let next = 0;
  const caller = async () => {
    while (next <= USERS) {
      next += 1;
      sizes.push((await client.call(Buffer.from(requestOf(next - 1)))).length);
    }
  };
  await Promise.all(Array.from({ length: WARM_UP_IN_FLIGHT }, caller));
  client.close();
  return Math.min(...sizes);
}

/** Waits until the reservations of these users have ended. */
export async function untilIdle(address: string, users: readonly number[]): Promise<void> {
  const client = createGrpcClient(QuotaChecker, address, { timeoutMs: 60_000 });
  const deadlineMs = performance.now() + 60_000;
  for (const index of users) {
    for (;;) {
      const subject = { case: "userId", value: userOf(index) } as const;
      const { budgets } = await client.getQuota({ subject });
      if (budgets.every(({ reservations }) => reservations.length === 0)) break;
      if (performance.now() > deadlineMs) throw new Error("reservations do not expire");
    }
  }
  client.close();
}

/** How many figures of the books differ from the records. */
export async function countDrifts(address: string): Promise<bigint> {
  const client = createGrpcClient(Operations, address, { timeoutMs: 120_000 });
  const { driftCount } = await client.verifyLedger({});
  client.close();
  return driftCount;
}

/**
 * Draws on one budget that has room for `fitting` requests, with `asking` of them at once over all
 * servers; returns how many were admitted.
 */
export async function admitOnce(
  addresses: readonly string[],
  { fitting, asking }: { readonly fitting: number; readonly asking: number },
): Promise<number> {
  const catalog = createGrpcClient(Catalog, addresses[0]!);
  const userId = `exact-${fitting}-${asking}`;
  const limit = BigInt(fitting) * ESTIMATE + ESTIMATE - 1n;
  const budget = { budgetId: userId, scope: BudgetScope.USER, subject: userId, limit };
  await catalog.applyCatalog({ document: { users: [{ userId }], budgets: [budget] } });
  catalog.close();
  const clients = addresses.map((address) =>
    createGrpcClient(QuotaChecker, address, { timeoutMs: 60_000 }),
  );
  await Promise.all(clients.map((client) => untilKnown(client, userId)));
  const answers = await Promise.all(
    Array.from({ length: asking }, (_, index) =>
      clients[index % clients.length]!.checkQuota({
        ...checkOf(0),
        userId,
        reservationTtl: { seconds: 3_600n },
      }),
    ),
  );
  for (const client of clients) client.close();
  return answers.filter(({ allowed }) => allowed).length;
}

async function untilKnown(
  client: { getQuota(request: { subject: { case: "userId"; value: string } }): Promise<unknown> },
  userId: string,
): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const subject = { case: "userId", value: userId } as const;
    const isKnown = await client.getQuota({ subject }).then(
      () => true,
      () => false,
    );
    if (isKnown) return;
    if (performance.now() > deadlineMs) throw new Error(`a replica does not hear of ${userId}`);
  }
}

function userOf(index: number): string {
  // Of one length, so that requests and answers are.
  return `user-${String(index).padStart(4, "0")}`;
}

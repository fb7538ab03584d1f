import fc from "fast-check";
import type { LedgerWorld } from "./ledger-world.js";

/** One thing that happens to the world. */
export interface LedgerCommand {
  readonly name: string;
  run(world: LedgerWorld): Promise<void>;
}

const replica = fc.nat({ max: 3 });
const index = fc.nat({ max: 40 });
const amount = fc.oneof(fc.bigInt(0n, 5n), fc.bigInt(0n, 40n), fc.bigInt(0n, 200n));
const ttlMs = fc.constantFrom(500, 2_000, 20_000, 60_000);

function command<T extends unknown[]>(
  name: string,
  values: fc.Arbitrary<T>,
  run: (world: LedgerWorld, ...values: T) => Promise<void>,
): fc.Arbitrary<LedgerCommand> {
  return values.map((given) => ({
    name: `${name}(${given.map((value) => fc.stringify(value)).join(", ")})`,
    run: (world) => run(world, ...given),
    toString: () => name,
  }));
}

/** Everything that can happen, the frequent more often. */
export const anyCommand: fc.Arbitrary<LedgerCommand> = fc.oneof(
  {
    weight: 6,
    arbitrary: command(
      "reserve",
      fc.tuple(replica, fc.option(amount), fc.option(amount), ttlMs),
      (world, at, first, second, ttl) =>
        world.reserve(at, [first ?? undefined, second ?? undefined], ttl),
    ),
  },
  {
    weight: 4,
    arbitrary: command(
      "burst",
      fc.tuple(replica, fc.integer({ min: 5, max: 20 }), fc.bigInt(0n, 4n)),
      async (world, at, count, each) => {
        for (let made = 0; made < count; made += 1) {
          await world.reserve(at, [each, undefined], 20_000);
        }
      },
    ),
  },
  {
    weight: 3,
    // Asked twice as often as it takes, a replica begins to keep some in store.
    arbitrary: command("warm", fc.tuple(replica, fc.bigInt(0n, 2n)), async (world, at, each) => {
      for (let round = 0; round < 2; round += 1) {
        for (let made = 0; made < 12; made += 1) {
          await world.reserve(at, [each, undefined], 2_000);
        }
        await world.drainNetwork();
        await world.advance(1_000);
        await world.beat(at);
        await world.drainNetwork();
      }
    }),
  },
  { weight: 1, arbitrary: command("drain", fc.tuple(), (world) => world.drainNetwork()) },
  {
    weight: 4,
    arbitrary: command(
      "settle",
      fc.tuple(index, replica, fc.integer({ min: 0, max: 100 }), fc.boolean()),
      (world, which, at, percent, isHeard) =>
        world.settle(which, { replica: at, percent, isHeard }),
    ),
  },
  {
    weight: 2,
    arbitrary: command("release", fc.tuple(index, replica), (world, which, at) =>
      world.release(which, at),
    ),
  },
  {
    weight: 3,
    arbitrary: command(
      "extend",
      fc.tuple(index, replica, amount, ttlMs),
      (world, which, at, more, ttl) => world.extend(which, { replica: at, more, ttlMs: ttl }),
    ),
  },
  { weight: 5, arbitrary: command("beat", fc.tuple(replica), (world, at) => world.beat(at)) },
  {
    weight: 3,
    arbitrary: command(
      "advance",
      fc.tuple(fc.constantFrom(1, 400, 1_000, 3_000, 30_000, 130_000)),
      (world, ms) => world.advance(ms),
    ),
  },
  {
    weight: 1,
    arbitrary: command("setLimit", fc.tuple(fc.bigInt(0n, 300n)), (world, limit) =>
      world.setLimit(limit),
    ),
  },
  { weight: 1, arbitrary: command("crash", fc.tuple(replica), (world, at) => world.crash(at)) },
  {
    weight: 14,
    arbitrary: command("stepNetwork", fc.tuple(index), (world, which) => world.stepNetwork(which)),
  },
  {
    weight: 2,
    arbitrary: command("loseAnswer", fc.tuple(index), (world, which) => world.loseAnswer(which)),
  },
);

import fc from "fast-check";
import { anyCommand } from "./ledger-commands.js";
import type { LedgerDatabase } from "./ledger-database.js";
import { createLedgerWorld } from "./ledger-world.js";

/**
 * Lets random things happen to replicas over one database, and sees after each that the books are
 * right.
 *
 * @param openDatabase - an empty one for each run
 */
export async function checkLedgerModel(
  openDatabase: (limit: bigint) => Promise<LedgerDatabase>,
  options: { readonly numRuns: number; readonly seed?: number; readonly maxCommands?: number },
): Promise<void> {
  const { numRuns, seed, maxCommands = 80 } = options;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.bigInt(1n, 300n),
      fc.array(anyCommand, { maxLength: maxCommands, size: "max" }),
      async (replicas, limit, commands) => {
        const world = await createLedgerWorld(await openDatabase(limit), { replicas, limit });
        for (const command of commands) {
          await command.run(world);
          await world.check();
        }
        await world.finish();
      },
    ),
    { numRuns, ...(seed !== undefined && { seed }) },
  );
}

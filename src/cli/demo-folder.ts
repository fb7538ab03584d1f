import { rmSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where a demo keeps its database. */
export interface DemoFolder {
  readonly dataDir: string;
  /** Removes it, or tells where it is. */
  discard(): Promise<void>;
}

/** Others may pass through but not look around: the database runs as another user under root. */
const PASSABLE = 0o711;

/**
 * Makes a temporary folder. Unless it is kept, it goes when the demo ends, even when the process
 * is ended at once; a database without its files then ends by itself.
 */
export async function createDemoFolder(isKept: boolean): Promise<DemoFolder> {
  const root = await mkdtemp(join(tmpdir(), "tally-demo-"));
  await chmod(root, PASSABLE);
  const dataDir = join(root, "data");
  const removeAtExit = () => rmSync(root, { recursive: true, force: true });
  if (!isKept) process.once("exit", removeAtExit);
  return {
    dataDir,
    async discard() {
      if (isKept) {
        process.stdout.write(
          `the database is kept; TALLY_DATA_DIR=${dataDir} tally serve uses it\n`,
        );
        return;
      }
      process.off("exit", removeAtExit);
      await rm(root, { recursive: true, force: true });
    },
  };
}

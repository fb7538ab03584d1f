import { execFile } from "node:child_process";
import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import pg from "pg";
import type { ConnectionFields } from "../../../src/database/connection.js";
import {
  createEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from "../../../src/database/embedded/embedded-postgres.js";
import { EmbeddedPostgresError } from "../../../src/database/embedded/errors.js";
import { silentLogger } from "../../support/postgres.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../../support/temporary-directory.js";

/** Whether the tests run as root, so that the server must not. */
export const isRoot = process.geteuid?.() === 0;

/** As whom the server of a new directory runs. */
export const serverUid = isRoot ? 65_534 : process.geteuid?.();

/** An embedded server on `dataDir`, not started, that logs nothing. */
export function embed(
  dataDir: string,
  options: Partial<EmbeddedPostgresOptions> = {},
): EmbeddedPostgres {
  return createEmbeddedPostgres({ dataDir, logger: silentLogger, ...options });
}

let seed: Promise<TemporaryDirectory> | undefined;

async function makeSeed(): Promise<TemporaryDirectory> {
  const directory = await createTemporaryDirectory();
  await chmod(directory.path, 0o755);
  await whileRunning(embed(directory.path), async (connection) => {
    await query(connection, "create table kept as select 42 as answer");
  });
  return directory;
}

/**
 * Puts a database that was shut down into `dataDir`, with the row 42 in the table `kept`:
 * a copy, which takes less time than a first start.
 */
export async function copySeed(dataDir: string): Promise<void> {
  seed ??= makeSeed();
  await mkdir(dataDir, { recursive: true });
  await promisify(execFile)("cp", ["-a", join((await seed).path, "postgres"), dataDir]);
}

/** Removes what {@link copySeed} copies. */
export async function removeSeed(): Promise<void> {
  await (await seed)?.remove();
  seed = undefined;
}

/** Fails unless `kept` holds what {@link copySeed} brought. */
export async function expectKept(connection: ConnectionFields): Promise<void> {
  expect(await query(connection, "select answer from kept")).to.deep.equal([{ answer: 42 }]);
}

/** Runs one statement on a connection of its own. */
export async function query(
  connection: ConnectionFields,
  sql: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connection);
  client.on("error", () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Starts a server, runs `work` and stops it, also when `work` fails. */
export async function whileRunning<T>(
  postgres: EmbeddedPostgres,
  work: (connection: ConnectionFields) => Promise<T>,
): Promise<T> {
  const { connection } = await postgres.start();
  try {
    return await work(connection);
  } finally {
    await postgres.stop();
  }
}

/** The process id of the server on `dataDir`, by its own account. */
export async function serverPid(dataDir: string): Promise<number> {
  const text = await readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8");
  return Number.parseInt(text, 10);
}

/** The error that a start ends with. */
export async function startFailure(postgres: EmbeddedPostgres): Promise<EmbeddedPostgresError> {
  try {
    await postgres.start();
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) return error;
    throw error;
  }
  await postgres.stop();
  throw new Error("it started");
}

import { pino } from "pino";
import { createEmbeddedPostgres } from "../../src/database/embedded/embedded-postgres.js";
import { EmbeddedPostgresError } from "../../src/database/embedded/errors.js";

/**
 * A program: starts an embedded PostgreSQL on the directory of its argument, prints one line
 * of JSON (`StartOutcome`), and stops it when its standard input closes.
 */
const [, , dataDir = ""] = process.argv;
const postgres = createEmbeddedPostgres({ dataDir, logger: pino({ level: "silent" }) });

try {
  await postgres.start();
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
  process.stdin.resume().once("end", () => postgres.stop());
} catch (error) {
  if (!(error instanceof EmbeddedPostgresError)) throw error;
  const { code, message } = error;
  process.stdout.write(`${JSON.stringify({ ready: false, code, message })}\n`);
}

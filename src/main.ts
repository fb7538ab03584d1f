import { describeError } from "./cli/describe-error.js";
import { createProgram } from "./cli/program.js";

/** How long handles of a command that failed may keep the process alive, milliseconds. */
const LINGER_MS = 5_000;

process.stdout.on("error", endQuietlyWithoutReader);
process.on("uncaughtException", (error) => {
  report(error);
  process.exit(1);
});

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  report(error);
  process.exitCode = 1;
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function report(error: unknown): void {
  const level = process.env.TALLY_LOG_LEVEL;
  const withStack = level === "debug" || level === "trace";
  process.stderr.write(describeError(error, { withStack }));
}

/** `tally ... | head` closes the pipe when it has seen enough. */
function endQuietlyWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit();
}

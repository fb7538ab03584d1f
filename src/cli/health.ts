import type { Command } from "commander";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/grpc/health/v1/health_pb.js";
import type { CommandOutput } from "./catalog.js";
import { addServerOptions, type ServerOptions, withClient } from "./server-options.js";

/** A server that answers at all answers this at once. */
const TIMEOUT_MS = 2_000;

/** `tally health`: whether a server takes calls; needs no token. For container health checks. */
export function registerHealthCommand(
  program: Command,
  output: CommandOutput = process.stdout,
): void {
  addServerOptions(program.command("health"))
    .description("ask a running server whether it takes calls")
    .addHelpText("after", "\nThe exit code is 1 unless it says SERVING. Needs no token.")
    .action((options: ServerOptions) => checkHealth(options, output));
}

async function checkHealth(server: ServerOptions, output: CommandOutput): Promise<void> {
  const target = { service: Health, server, timeoutMs: TIMEOUT_MS };
  const { status } = await withClient(target, (client) => client.check({}));
  output.write(`${HealthCheckResponse_ServingStatus[status]}\n`);
  if (status !== HealthCheckResponse_ServingStatus.SERVING) process.exitCode = 1;
}

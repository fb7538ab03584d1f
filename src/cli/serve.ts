import { once } from "node:events";
import type { Command } from "commander";
import { loadConfig, unknownSettings } from "../config.js";
import { createLogger } from "../telemetry/logger.js";
import { type ConfigOptions, configOption, environmentOf } from "./config-option.js";
import { catchStopSignals } from "./stop-signal.js";

/** `tally serve`: answers calls until it is told to stop. */
export function registerServeCommand(program: Command): void {
  program
    .command("serve")
    .description(
      "start the server; docs/configuration.md has its settings, logs go to standard error",
    )
    .addOption(configOption())
    .action(serve);
}

async function serve(options: ConfigOptions): Promise<void> {
  const config = loadConfig(environmentOf(options));
  const logger = createLogger({ level: config.log.level });
  for (const name of unknownSettings(process.env)) {
    logger.warn({ setting: name }, 'no such setting; "tally config check" shows those there are');
  }
  const stopSignal = catchStopSignals();
  // Loaded here, so that the other commands need not load a whole server.
  const { createApp } = await import("../app.js");
  const app = createApp(config, { logger });
  // Without certificates it ends the process, as it does by default.
  if (config.tls !== undefined) process.on("SIGHUP", () => void app.reload());
  const { grpcAddress, httpAddress = "off" } = await app.start();
  try {
    process.stdout.write(`tally ready grpc=${grpcAddress} http=${httpAddress}\n`);
    if (!stopSignal.aborted) await once(stopSignal, "abort");
    logger.info({ reason: stopSignal.reason.message }, "stopping");
  } finally {
    await app.stop();
  }
  logger.info("stopped");
}

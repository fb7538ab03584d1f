import type { Command } from "commander";
import { loadConfig } from "../config.js";
import { createLogger } from "../telemetry/logger.js";
import { type ConfigOptions, configOption, environmentOf } from "./config-option.js";

/** `tally migrate`: brings the schema of the database up to date. */
export function registerMigrateCommand(program: Command): void {
  program
    .command("migrate")
    .description("bring the database's schema up to date, which serve does too when it starts")
    .addOption(configOption())
    .action(migrate);
}

async function migrate(options: ConfigOptions): Promise<void> {
  const config = loadConfig(environmentOf(options));
  const logger = createLogger({ level: config.log.level });
  const { openStorage } = await import("../storage.js");
  const storage = await openStorage(config, logger);
  await storage.stop();
  for (const name of storage.migrated) process.stdout.write(`applied ${name}\n`);
  if (storage.migrated.length === 0) process.stdout.write("the schema is up to date\n");
}

import { Command } from "commander";
import { readVersion } from "../version.js";
import { registerCatalogCommands } from "./catalog.js";
import { registerCertificateCommands } from "./certificate.js";
import { registerConfigCommands } from "./config.js";
import { registerDemoCommand } from "./demo.js";
import { registerGenerateCommand } from "./generate.js";
import { registerHealthCommand } from "./health.js";
import { registerMigrateCommand } from "./migrate.js";
import { registerPurgeCommand } from "./purge.js";
import { registerReplayCommand } from "./replay.js";
import { registerReportCommands } from "./report.js";
import { registerRepriceCommand } from "./reprice.js";
import { registerRollupCommands } from "./rollup.js";
import { registerServeCommand } from "./serve.js";
import { registerTokenCommands } from "./token.js";
import { registerVerifyCommand } from "./verify.js";

/** The command line with all its commands. */
export function createProgram(): Command {
  const program = new Command("tally")
    .description("The meter, the till and the ledger beside an AI gateway.")
    .version(readVersion())
    .showHelpAfterError("(tally --help tells what there is)")
    .showSuggestionAfterError();
  registerServeCommand(program);
  registerHealthCommand(program);
  registerDemoCommand(program);
  registerReplayCommand(program);
  registerGenerateCommand(program);
  registerCatalogCommands(program);
  registerReportCommands(program);
  registerVerifyCommand(program);
  registerPurgeCommand(program);
  registerRepriceCommand(program);
  registerRollupCommands(program);
  registerTokenCommands(program);
  registerCertificateCommands(program);
  registerMigrateCommand(program);
  registerConfigCommands(program);
  return program;
}

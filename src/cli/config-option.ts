import { Option } from "commander";
import type { Environment } from "../config.js";
import { CONFIG_FILE_VARIABLE } from "../config-sources.js";

/** Where a command's settings are. */
export interface ConfigOptions {
  readonly config?: string;
}

/** `--config`: the file of settings; the same as TALLY_CONFIG. */
export function configOption(): Option {
  return new Option("--config <file>", "YAML file of settings; variables win over it").env(
    CONFIG_FILE_VARIABLE,
  );
}

/** The environment, with the file that the option names. */
export function environmentOf({ config }: ConfigOptions): Environment {
  return config === undefined ? process.env : { ...process.env, [CONFIG_FILE_VARIABLE]: config };
}

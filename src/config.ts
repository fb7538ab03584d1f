import { resolve } from "node:path";
import { showValue } from "./ascii.js";
import { CALLER_VARIABLES, SETTINGS, type Setting, type SettingValues } from "./config-settings.js";
import { isLoopback, parseAddress } from "./server/address.js";

/** What the environment decides, checked and frozen. Durations in ms, sizes in bytes. */
export interface Config {
  readonly grpc: {
    /** HOST:PORT, where port 0 takes any free one, or unix:/PATH; see `parseAddress`. */
    readonly address: string;
    readonly maxMessageBytes: number;
  };
  readonly auth: {
    /** Whether callers must say who they are; if not, every address is a loopback one. */
    readonly isRequired: boolean;
  };
  /** Undefined: nothing is encrypted. */
  readonly tls:
    | {
        /** Absolute paths of PEM files. */
        readonly certFile: string;
        readonly keyFile: string;
        readonly clientCaFile: string | undefined;
        readonly requireClientCertificate: boolean;
      }
    | undefined;
  readonly database: {
    /** Connection URL; undefined: the embedded PostgreSQL in `dataDir`. */
    readonly url: string | undefined;
    /** Absolute path. */
    readonly dataDir: string;
    /** Absolute path of an installed PostgreSQL's programs; undefined: those from npm. */
    readonly pgBin: string | undefined;
    /** Most connections, larger than `recorder.lanes`. */
    readonly poolSize: number;
  };
  readonly recorder: {
    readonly lanes: number;
    /** Records a transaction. */
    readonly batchSize: number;
    /** Records that wait, at least `batchSize`. */
    readonly queueLimit: number;
  };
  readonly quota: {
    /** The longest that a check waits for the database. */
    readonly timeoutMs: number;
  };
  readonly shutdown: { readonly graceMs: number };
  readonly log: { readonly level: SettingValues["logLevel"] };
}

/** The variables of a process, `process.env` for instance. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that are not allowed: all of them, each with its name, its value and what is. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  /** @param problems - one line each, at least one. */
  constructor(readonly problems: readonly string[]) {
    super(`invalid configuration\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  }
}

/**
 * Reads the settings; an empty variable counts as unset.
 *
 * @throws ConfigError with every problem at once
 */
export function loadConfig(env: Environment): Config {
  const problems: string[] = [];
  const entries: [string, Setting<unknown>][] = Object.entries(SETTINGS);
  const values: unknown = Object.fromEntries(
    entries.map(([key, setting]) => [key, readSetting(setting, env, problems)]),
  );
  // Without a problem, every setting was read by its own kind.
  if (problems.length > 0) throw new ConfigError(problems);
  const config = toConfig(checkTogether(values as SettingValues));
  for (const group of Object.values(config)) Object.freeze(group);
  return Object.freeze(config);
}

/** Variables that look like settings and are none, misspelt ones for instance; sorted. */
export function unknownSettings(env: Environment): string[] {
  const known = new Set<string>([
    ...Object.values(SETTINGS).map(({ name }) => name),
    ...Object.values(CALLER_VARIABLES),
  ]);
  return Object.keys(env)
    .filter((name) => name.startsWith("TALLY_") && !known.has(name))
    .sort();
}

function readSetting<T>(setting: Setting<T>, env: Environment, problems: string[]): T | undefined {
  const { name, kind } = setting;
  const text = env[name] || setting.default;
  if (text === undefined) return undefined;
  const value = kind.parse(text);
  if (value === undefined) {
    const shown = (kind.show ?? showValue)(text);
    problems.push(`${name}: must be ${kind.allowed} (was ${shown})`);
  }
  return value;
}

/** Throws when settings that are valid one by one contradict each other. */
function checkTogether(values: SettingValues): SettingValues {
  const problems: string[] = [];
  if (values.auth === "none" && !isLoopback(parseAddress(values.grpcAddress))) {
    problems.push(refusedAddress(SETTINGS.grpcAddress.name, values.grpcAddress));
  }
  problems.push(...tlsProblems(values));
  const { databasePoolSize, recorderLanes, recorderBatchSize, recorderQueueLimit } = SETTINGS;
  if (values.databasePoolSize <= values.recorderLanes) {
    const rule = `must be larger than ${recorderLanes.name}, ${values.recorderLanes}`;
    problems.push(`${databasePoolSize.name}: ${rule} (was ${values.databasePoolSize})`);
  }
  if (values.recorderQueueLimit < values.recorderBatchSize) {
    const rule = `must be at least ${recorderBatchSize.name}, ${values.recorderBatchSize}`;
    problems.push(`${recorderQueueLimit.name}: ${rule} (was ${values.recorderQueueLimit})`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return values;
}

function tlsProblems(values: SettingValues): string[] {
  const { tlsCert, tlsKey, tlsClientCa, tlsClientCertificates } = SETTINGS;
  const needs = (name: string, other: string) => `${other}: must be set when ${name} is`;
  const problems: string[] = [];
  if (values.tlsKey && !values.tlsCert) problems.push(needs(tlsKey.name, tlsCert.name));
  if (values.tlsCert && !values.tlsKey) problems.push(needs(tlsCert.name, tlsKey.name));
  if (values.tlsClientCa && !values.tlsCert) problems.push(needs(tlsClientCa.name, tlsCert.name));
  if (values.tlsClientCertificates === "required" && !values.tlsClientCa) {
    problems.push(`${needs(tlsClientCertificates.name, tlsClientCa.name)} "required"`);
  }
  return problems;
}

function toTlsConfig(values: SettingValues): Config["tls"] {
  const { tlsCert, tlsKey, tlsClientCa } = values;
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  return {
    certFile: resolve(tlsCert),
    keyFile: resolve(tlsKey),
    clientCaFile: tlsClientCa === undefined ? undefined : resolve(tlsClientCa),
    requireClientCertificate: values.tlsClientCertificates === "required",
  };
}

function refusedAddress(name: string, address: string): string {
  return (
    `${name}: must be a loopback address or a unix socket while ${SETTINGS.auth.name} is none, ` +
    `because every caller may do everything then (was ${showValue(address)}); to listen there, ` +
    `make a token with "tally token create --bootstrap" and set ${SETTINGS.auth.name}=required`
  );
}

function toConfig(values: SettingValues): Config {
  return {
    grpc: { address: values.grpcAddress, maxMessageBytes: values.grpcMaxMessageBytes },
    auth: { isRequired: values.auth === "required" },
    tls: toTlsConfig(values),
    database: {
      url: values.databaseUrl,
      dataDir: resolve(values.dataDir),
      pgBin: values.pgBin === undefined ? undefined : resolve(values.pgBin),
      poolSize: values.databasePoolSize,
    },
    recorder: {
      lanes: values.recorderLanes,
      batchSize: values.recorderBatchSize,
      queueLimit: values.recorderQueueLimit,
    },
    quota: { timeoutMs: values.quotaTimeoutMs },
    shutdown: { graceMs: values.shutdownGraceMs },
    log: { level: values.logLevel },
  };
}

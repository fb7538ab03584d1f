import { resolve } from "node:path";
import type { RedisAddress } from "./cache/redis-address.js";
import { problemsTogether } from "./config-rules.js";
import { CALLER_VARIABLES, SETTINGS, type SettingValues } from "./config-settings.js";
import {
  CONFIG_FILE_VARIABLE,
  type EffectiveSettings,
  type Environment,
  readSettings,
} from "./config-sources.js";

import type { ServerLimits } from "./server/limits.js";
import type { AdmissionLimits } from "./server/limits-admission.js";

export type { Environment } from "./config-sources.js";

/** What the settings decide, checked and frozen. Durations in ms, sizes in bytes. */
export interface Config {
  readonly grpc: {
    /** HOST:PORT, where port 0 takes any free one, or unix:/PATH; see `parseAddress`. */
    readonly address: string;
  };
  readonly http: {
    /** As that of gRPC. Undefined: there is no HTTP port. */
    readonly address: string | undefined;
    /** Origins of web pages that may call, or "*". */
    readonly allowedOrigins: readonly string[];
  };
  /** Of each port. */
  readonly limits: ServerLimits;
  /** Of the process. */
  readonly admission: AdmissionLimits & {
    /** Calls a second by one caller; 0: no limit. */
    readonly callsPerSecond: number;
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
  /** Undefined: caches are in this process. */
  readonly redis:
    | {
        readonly address: RedisAddress;
        /** Absolute path of a PEM file. */
        readonly caFile: string | undefined;
        /** The longest that a call waits for it. */
        readonly timeoutMs: number;
      }
    | undefined;
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
  /** Undefined: nothing is traced. */
  readonly tracing:
    | {
        /** Base address of the receiver by OTLP over HTTP. */
        readonly endpoint: string;
        readonly headers: Readonly<Record<string, string>>;
        readonly serviceName: string;
        readonly resourceAttributes: Readonly<Record<string, string>>;
        readonly sampler: SettingValues["tracesSampler"];
        /** 0 to 1. */
        readonly samplerRatio: number;
      }
    | undefined;
  readonly log: {
    readonly level: SettingValues["logLevel"];
    /** Which calls have a line at level info. */
    readonly access: SettingValues["accessLog"];
  };
}

/** Settings that are not allowed: all of them, each with its name, its value and what is. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  /** @param problems - one line each, at least one. */
  constructor(readonly problems: readonly string[]) {
    super(`invalid configuration\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  }

  /** What to do next, for people. */
  get hint(): string {
    return 'docs/configuration.md tells what each setting is for; "tally config check" tries again';
  }
}

/**
 * Reads the settings from the environment, and from the file that `TALLY_CONFIG` names.
 *
 * @throws ConfigError with every problem at once
 */
export function loadConfig(env: Environment): Config {
  const { settings, problems } = checkConfig(env);
  if (problems.length > 0) throw new ConfigError(problems);
  const values: unknown = Object.fromEntries(settings.map(({ key, value }) => [key, value]));
  // Without a problem, every setting was read by its own kind.
  const config = toConfig(values as SettingValues);
  for (const group of Object.values(config)) if (group !== undefined) Object.freeze(group);
  return Object.freeze(config);
}

/** Every setting as it holds, and all that is wrong: one by one, and together. */
export function checkConfig(env: Environment): EffectiveSettings {
  const { settings, problems } = readSettings(env);
  return { settings, problems: [...problems, ...problemsTogether(settings)] };
}

/** Variables that look like settings and are none, misspelt ones for instance; sorted. */
export function unknownSettings(env: Environment): string[] {
  const known = new Set<string>([
    ...Object.values(SETTINGS).map(({ name }) => name),
    ...Object.values(CALLER_VARIABLES),
    CONFIG_FILE_VARIABLE,
  ]);
  return Object.keys(env)
    .filter((name) => name.startsWith("TALLY_") && !known.has(name))
    .sort();
}

function toLimits(values: SettingValues): ServerLimits {
  return {
    maxMessageBytes: values.maxMessageBytes,
    maxConnections: values.maxConnections,
    maxConcurrentStreams: values.maxConcurrentStreams,
    maxHeaderBytes: values.maxHeaderBytes,
    keepaliveTimeMs: values.keepaliveTimeMs,
    keepaliveTimeoutMs: values.keepaliveTimeoutMs,
    maxPingsPerSecond: values.maxPingsPerSecond,
    maxConnectionAgeMs: values.maxConnectionAgeMs,
    connectionAgeGraceMs: values.connectionAgeGraceMs,
    defaultDeadlineMs: values.defaultDeadlineMs,
    maxDeadlineMs: values.maxDeadlineMs,
  };
}

const DEFAULT_OTLP_ENDPOINT = "http://localhost:4318";

function toTracingConfig(values: SettingValues): Config["tracing"] {
  const isWanted = values.tracesExporter === "otlp" || values.otlpEndpoint !== undefined;
  if (!isWanted || values.tracesExporter === "none") return undefined;
  return {
    endpoint: values.otlpEndpoint ?? DEFAULT_OTLP_ENDPOINT,
    headers: values.otlpHeaders ?? {},
    serviceName: values.otelServiceName,
    resourceAttributes: values.otelResourceAttributes ?? {},
    sampler: values.tracesSampler,
    samplerRatio: values.tracesSamplerArg,
  };
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

function toConfig(values: SettingValues): Config {
  return {
    grpc: { address: values.grpcAddress },
    http: {
      address: values.httpAddress === "off" ? undefined : values.httpAddress,
      allowedOrigins: values.httpAllowedOrigins ?? [],
    },
    limits: toLimits(values),
    admission: {
      maxCallsInFlight: values.maxCallsInFlight,
      maxLagMs: values.maxLagMs,
      callsPerSecond: values.rateLimit,
    },
    auth: { isRequired: values.auth === "required" },
    tls: toTlsConfig(values),
    database: {
      url: values.databaseUrl,
      dataDir: resolve(values.dataDir),
      pgBin: values.pgBin === undefined ? undefined : resolve(values.pgBin),
      poolSize: values.databasePoolSize,
    },
    redis: values.redisUrl && {
      address: values.redisUrl,
      caFile: values.redisCa === undefined ? undefined : resolve(values.redisCa),
      timeoutMs: values.redisTimeoutMs,
    },
    recorder: {
      lanes: values.recorderLanes,
      batchSize: values.recorderBatchSize,
      queueLimit: values.recorderQueueLimit,
    },
    quota: { timeoutMs: values.quotaTimeoutMs },
    shutdown: { graceMs: values.shutdownGraceMs },
    tracing: toTracingConfig(values),
    log: { level: values.logLevel, access: values.accessLog },
  };
}

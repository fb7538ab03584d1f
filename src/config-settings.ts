import type { Setting } from "./config-setting.js";
import { TELEMETRY_SETTINGS } from "./config-telemetry-settings.js";
import {
  byteSize,
  directory,
  duration,
  file,
  listenAddress,
  listenAddressOrOff,
  oneOf,
  originList,
  postgresUrl,
  redisUrl,
  type ValueKind,
  wholeNumber,
} from "./config-values.js";

/** Every setting, each declared once. `docs/configuration.md` is generated from this table. */
export const SETTINGS = {
  grpcAddress: {
    name: "TALLY_GRPC_ADDRESS",
    default: "127.0.0.1:50051",
    kind: listenAddress(),
    doc: "Where the gRPC port listens. Port 0 takes any free one; `tally ready` tells which.",
  },
  httpAddress: {
    name: "TALLY_HTTP_ADDRESS",
    default: "127.0.0.1:8080",
    kind: listenAddressOrOff(),
    doc:
      "Where the HTTP port listens: Connect (JSON and binary), gRPC-Web and gRPC, by HTTP/1.1 and " +
      "HTTP/2, and `/healthz`, `/readyz` and `/metrics`. `off`: there is none.",
  },
  httpAllowedOrigins: {
    name: "TALLY_HTTP_ALLOWED_ORIGINS",
    default: undefined,
    kind: originList(),
    doc:
      "Web pages of other origins that may call the HTTP port (CORS). `*`, for all of them, needs " +
      "`TALLY_AUTH=required`, as any page could do everything otherwise. Unset: none may.",
  },
  auth: {
    name: "TALLY_AUTH",
    default: "none",
    kind: oneOf("none", "required"),
    doc:
      "Whether callers must say who they are, by a bearer token or a client certificate. `none`: " +
      "every caller may do everything, so Tally listens on loopback addresses and unix sockets " +
      "only. See [security](security.md) for how to make the first token.",
  },
  tlsCert: {
    name: "TALLY_TLS_CERT",
    default: undefined,
    kind: file(),
    doc:
      "The server's certificate in PEM, followed by those that lead to its CA. With it and " +
      "`TALLY_TLS_KEY`, only TLS 1.2 and newer is spoken. Changed files are read within seconds, " +
      "or at once on SIGHUP; connections that are open stay.",
  },
  tlsKey: {
    name: "TALLY_TLS_KEY",
    default: undefined,
    kind: file(),
    doc: "The private key of `TALLY_TLS_CERT`, in PEM.",
  },
  tlsClientCa: {
    name: "TALLY_TLS_CLIENT_CA",
    default: undefined,
    kind: file(),
    doc:
      "Certificates in PEM. Clients with a certificate that comes from one of them are known by " +
      "the names in it; see [security](security.md).",
  },
  tlsClientCertificates: {
    name: "TALLY_TLS_CLIENT_CERTIFICATES",
    default: "optional",
    kind: oneOf("optional", "required"),
    doc:
      "Whether a client without a certificate from `TALLY_TLS_CLIENT_CA` may connect, to show a " +
      "token instead. `required` wants the certificate even from those that have a token.",
  },
  maxMessageBytes: {
    name: "TALLY_MAX_MESSAGE_BYTES",
    default: "4MiB",
    kind: byteSize("64KiB", "64MiB"),
    doc:
      "The largest message that is accepted. Larger ones are refused with RESOURCE_EXHAUSTED " +
      "before they are read. Raise it when bodies are recorded at log level FULL.",
  },
  maxConnections: {
    name: "TALLY_MAX_CONNECTIONS",
    default: "10000",
    kind: wholeNumber(1, 1_000_000, "connections"),
    doc: "Most connections at the same time on each port. Further ones are closed at once.",
  },
  maxConcurrentStreams: {
    name: "TALLY_MAX_CONCURRENT_STREAMS",
    default: "1000",
    kind: wholeNumber(1, 100_000, "calls"),
    doc: "Most calls at the same time on one connection of HTTP/2. More wait at the client.",
  },
  maxHeaderBytes: {
    name: "TALLY_MAX_HEADER_BYTES",
    default: "32KiB",
    kind: byteSize("8KiB", "1MiB"),
    doc: "Most bytes that the headers of one call may have.",
  },
  keepaliveTimeMs: {
    name: "TALLY_KEEPALIVE_TIME",
    default: "1m",
    kind: duration("1s", "24h"),
    doc: "How often a connection of HTTP/2 is asked whether its client still lives.",
  },
  keepaliveTimeoutMs: {
    name: "TALLY_KEEPALIVE_TIMEOUT",
    default: "20s",
    kind: duration("1s", "10m"),
    doc: "How long the client has to answer that before the connection is closed.",
  },
  maxPingsPerSecond: {
    name: "TALLY_MAX_PINGS_PER_SECOND",
    default: "100",
    kind: wholeNumber(1, 10_000, "pings"),
    doc:
      "Pings that a client may send on one connection, on average over ten seconds. One that sends " +
      "more is cut off with ENHANCE_YOUR_CALM.",
  },
  maxConnectionAgeMs: {
    name: "TALLY_MAX_CONNECTION_AGE",
    default: "30m",
    kind: duration("0s", "24h"),
    doc:
      "Age at which a client is asked to connect anew, up to a tenth more or less, so that load " +
      "spreads over replicas that started later. `0s`: never.",
  },
  connectionAgeGraceMs: {
    name: "TALLY_CONNECTION_AGE_GRACE",
    default: "10m",
    kind: duration("1s", "24h"),
    doc:
      "How long the calls of such a connection may go on. Streams are cut off then; their clients " +
      "call again.",
  },
  defaultDeadlineMs: {
    name: "TALLY_DEFAULT_DEADLINE",
    default: "1h",
    kind: duration("10ms", "24h"),
    doc: "The deadline of calls that come without one. Streams have none then.",
  },
  maxDeadlineMs: {
    name: "TALLY_MAX_DEADLINE",
    default: "1h",
    kind: duration("10ms", "24h"),
    doc: "The latest deadline that a call other than a stream has, whatever its client says.",
  },
  maxCallsInFlight: {
    name: "TALLY_MAX_CALLS_IN_FLIGHT",
    default: "20000",
    kind: wholeNumber(1, 1_000_000, "calls"),
    doc:
      "Most calls that wait for something at the same time, on both ports, streams included. " +
      "Further ones are refused with RESOURCE_EXHAUSTED and a time to try again; health checks are " +
      "not.",
  },
  maxLagMs: {
    name: "TALLY_MAX_LAG",
    default: "1s",
    kind: duration("10ms", "1m"),
    doc:
      "How far the process may be behind with what has arrived. Beyond it, calls are refused with " +
      "RESOURCE_EXHAUSTED before anything of them is read, so that others are still answered before " +
      "their clients give up. Lower it where clients wait for less than two seconds.",
  },
  rateLimit: {
    name: "TALLY_RATE_LIMIT",
    default: "0",
    kind: wholeNumber(0, 1_000_000, "calls"),
    doc:
      "Calls a second that one caller (a token, or a mapped certificate) may make on average, and " +
      "at once after a rest. A stream or a batch counts as one. Beyond it, calls are refused with " +
      "RESOURCE_EXHAUSTED and RATE_LIMITED. `0`: no limit.",
  },
  databaseUrl: {
    name: "DATABASE_URL",
    default: undefined,
    kind: postgresUrl(),
    doc:
      "The PostgreSQL (15 or newer) to use. Unset: Tally runs an embedded one in " +
      "`TALLY_DATA_DIR`. Several replicas need the same one.",
  },
  dataDir: {
    name: "TALLY_DATA_DIR",
    default: "./data",
    kind: directory(),
    doc: "Where the embedded PostgreSQL keeps its data. Not used with `DATABASE_URL`.",
  },
  pgBin: {
    name: "TALLY_PG_BIN",
    default: undefined,
    kind: directory(),
    doc:
      "The `bin` directory of an installed PostgreSQL (15 or newer) that the embedded database " +
      "should run. Unset: the one from npm. Not used with `DATABASE_URL`.",
  },
  databasePoolSize: {
    name: "TALLY_DATABASE_POOL_SIZE",
    default: "10",
    kind: wholeNumber(2, 1_000, "connections"),
    doc:
      "Most connections to PostgreSQL that one process holds. Must be larger than " +
      "`TALLY_RECORDER_LANES`, since each lane keeps one while it commits.",
  },
  redisUrl: {
    name: "REDIS_URL",
    default: undefined,
    kind: redisUrl(),
    doc:
      "The Redis (4 or newer) in which replicas share the cache of `GetDailyActivity`: one server, " +
      "the Sentinels of a master (`sentinel_username` and `sentinel_password` in the query are for " +
      "the Sentinels themselves), or some nodes of a Cluster. Its user needs the commands `GETRANGE`, " +
      "`SET`, `UNLINK`, `SCAN` and `INFO` for keys that begin with `activity_heatmap:`. Unset: each " +
      "process has a cache of its own. Redis never holds what could not be lost, and Tally goes on " +
      "without it.",
  },
  redisCa: {
    name: "TALLY_REDIS_CA",
    default: undefined,
    kind: file(),
    doc:
      "Certificates in PEM that Redis' own must come from, for `rediss`. Unset: those that Node.js " +
      "trusts.",
  },
  redisTimeoutMs: {
    name: "TALLY_REDIS_TIMEOUT",
    default: "150ms",
    kind: duration("5ms", "10s"),
    doc:
      "The longest that a call waits for Redis before it does without. After three such waits in a " +
      "row nobody waits for the next 1 to 10 seconds.",
  },
  recorderLanes: {
    name: "TALLY_RECORDER_LANES",
    default: "2",
    kind: wholeNumber(1, 32, "lanes"),
    doc:
      "How many batches of usage records are committed at the same time. A user's records always " +
      "take the same lane. More lanes help where a commit waits for a slow disk or network.",
  },
  recorderBatchSize: {
    name: "TALLY_RECORDER_BATCH_SIZE",
    default: "256",
    kind: wholeNumber(1, 4_096, "records"),
    doc: "Most usage records in one transaction.",
  },
  recorderQueueLimit: {
    name: "TALLY_RECORDER_QUEUE_LIMIT",
    default: "20000",
    kind: wholeNumber(1, 1_000_000, "records"),
    doc:
      "Most usage records that wait for their commit. Beyond it, calls are refused with " +
      "RESOURCE_EXHAUSTED and a time to try again. At least `TALLY_RECORDER_BATCH_SIZE`.",
  },
  quotaTimeoutMs: {
    name: "TALLY_QUOTA_TIMEOUT",
    default: "2s",
    kind: duration("10ms", "1m"),
    doc:
      "The longest that CheckQuota waits for the database. Beyond it a budget that cannot be " +
      "answered from memory is treated by its `on_unavailable`.",
  },
  shutdownGraceMs: {
    name: "TALLY_SHUTDOWN_GRACE",
    default: "10s",
    kind: duration("0s", "10m"),
    doc:
      "How long open calls may take to finish after SIGTERM or SIGINT. What is not done by then " +
      "is cut off; what was acknowledged is on disk either way.",
  },
  ...TELEMETRY_SETTINGS,
} as const satisfies Record<string, Setting<unknown>>;

/** Variables that the commands read which call a server; the same as their options. */
export const CALLER_VARIABLES = {
  token: "TALLY_TOKEN",
  tlsCa: "TALLY_TLS_CA",
  clientCert: "TALLY_CLIENT_CERT",
  clientKey: "TALLY_CLIENT_KEY",
} as const;

/** The settings by key, with the type of their value. */
export type SettingValues = {
  readonly [K in keyof typeof SETTINGS]: SettingValue<(typeof SETTINGS)[K]>;
};

type SettingValue<S extends Setting<unknown>> =
  | (S["kind"] extends ValueKind<infer T> ? T : never)
  | (S["default"] extends string ? never : undefined);

import { resolve } from "node:path";
import { expect } from "chai";
import { ConfigError, type Environment, loadConfig, unknownSettings } from "../src/config.js";
import { DEFAULT_LIMITS } from "../src/server/limits.js";

function problemsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("loadConfig", () => {
  it("has a default for every setting", () => {
    expect(loadConfig({})).to.deep.equal({
      grpc: { address: "127.0.0.1:50051" },
      http: { address: "127.0.0.1:8080", allowedOrigins: [] },
      limits: DEFAULT_LIMITS,
      admission: { maxCallsInFlight: 20_000, maxLagMs: 1_000, callsPerSecond: 0 },
      auth: { isRequired: false },
      tls: undefined,
      database: { url: undefined, dataDir: resolve("data"), pgBin: undefined, poolSize: 10 },
      redis: undefined,
      recorder: { lanes: 2, batchSize: 256, queueLimit: 20_000 },
      quota: { timeoutMs: 2_000 },
      shutdown: { graceMs: 10_000 },
      tracing: undefined,
      log: { level: "info", access: "none" },
    });
  });

  it("reads every setting", () => {
    const config = loadConfig({
      TALLY_GRPC_ADDRESS: "[::1]:0",
      TALLY_HTTP_ADDRESS: "0.0.0.0:80",
      TALLY_HTTP_ALLOWED_ORIGINS: "https://a.corp, http://b.corp:81",
      TALLY_AUTH: "required",
      TALLY_TLS_CERT: "/etc/tally/tls.crt",
      TALLY_TLS_KEY: "/etc/tally/tls.key",
      TALLY_TLS_CLIENT_CA: "/etc/tally/ca.crt",
      TALLY_TLS_CLIENT_CERTIFICATES: "required",
      TALLY_MAX_MESSAGE_BYTES: "8MiB",
      TALLY_MAX_CONNECTIONS: "1",
      TALLY_MAX_CONCURRENT_STREAMS: "2",
      TALLY_MAX_HEADER_BYTES: "16KiB",
      TALLY_KEEPALIVE_TIME: "3s",
      TALLY_KEEPALIVE_TIMEOUT: "4s",
      TALLY_MAX_PINGS_PER_SECOND: "5",
      TALLY_MAX_CONNECTION_AGE: "6s",
      TALLY_CONNECTION_AGE_GRACE: "7s",
      TALLY_DEFAULT_DEADLINE: "8s",
      TALLY_MAX_DEADLINE: "9s",
      TALLY_MAX_CALLS_IN_FLIGHT: "10",
      TALLY_MAX_LAG: "11ms",
      TALLY_RATE_LIMIT: "12",
      DATABASE_URL: "postgresql://tally:secret@db:5432/tally",
      TALLY_DATA_DIR: "/var/lib/tally",
      TALLY_PG_BIN: "/usr/lib/postgresql/17/bin",
      TALLY_DATABASE_POOL_SIZE: "40",
      REDIS_URL: "rediss+sentinel://tally:p%40ss@a,[::1]:26380/main/3?sentinel_password=s",
      TALLY_REDIS_CA: "/etc/tally/redis.crt",
      TALLY_REDIS_TIMEOUT: "80ms",
      TALLY_RECORDER_LANES: "4",
      TALLY_RECORDER_BATCH_SIZE: "512",
      TALLY_RECORDER_QUEUE_LIMIT: "512",
      TALLY_QUOTA_TIMEOUT: "500ms",
      TALLY_SHUTDOWN_GRACE: "1.5s",
      TALLY_LOG_LEVEL: "debug",
      TALLY_ACCESS_LOG: "failed",
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector:4318",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20s, x-tenant = t",
      OTEL_SERVICE_NAME: "meter",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
    });
    expect(config).to.deep.equal({
      grpc: { address: "[::1]:0" },
      http: { address: "0.0.0.0:80", allowedOrigins: ["https://a.corp", "http://b.corp:81"] },
      limits: {
        maxMessageBytes: 8_388_608,
        maxConnections: 1,
        maxConcurrentStreams: 2,
        maxHeaderBytes: 16_384,
        keepaliveTimeMs: 3_000,
        keepaliveTimeoutMs: 4_000,
        maxPingsPerSecond: 5,
        maxConnectionAgeMs: 6_000,
        connectionAgeGraceMs: 7_000,
        defaultDeadlineMs: 8_000,
        maxDeadlineMs: 9_000,
      },
      admission: { maxCallsInFlight: 10, maxLagMs: 11, callsPerSecond: 12 },
      auth: { isRequired: true },
      tls: {
        certFile: "/etc/tally/tls.crt",
        keyFile: "/etc/tally/tls.key",
        clientCaFile: "/etc/tally/ca.crt",
        requireClientCertificate: true,
      },
      database: {
        url: "postgresql://tally:secret@db:5432/tally",
        dataDir: "/var/lib/tally",
        pgBin: "/usr/lib/postgresql/17/bin",
        poolSize: 40,
      },
      redis: {
        address: {
          mode: "sentinel",
          isTls: true,
          nodes: [
            { host: "a", port: 26_379 },
            { host: "::1", port: 26_380 },
          ],
          username: "tally",
          password: "p@ss",
          database: 3,
          masterName: "main",
          sentinelUsername: "",
          sentinelPassword: "s",
        },
        caFile: "/etc/tally/redis.crt",
        timeoutMs: 80,
      },
      recorder: { lanes: 4, batchSize: 512, queueLimit: 512 },
      quota: { timeoutMs: 500 },
      shutdown: { graceMs: 1_500 },
      tracing: {
        endpoint: "https://collector:4318",
        headers: { authorization: "Bearer s", "x-tenant": "t" },
        serviceName: "meter",
        resourceAttributes: { "deployment.environment.name": "test" },
        sampler: "traceidratio",
        samplerRatio: 0.25,
      },
      log: { level: "debug", access: "failed" },
    });
  });

  for (const [name, lowest, highest] of [
    ["TALLY_MAX_MESSAGE_BYTES", "64KiB", "64MiB"],
    ["TALLY_RECORDER_LANES", "1", "32"],
    ["TALLY_RECORDER_BATCH_SIZE", "1", "4096"],
    ["TALLY_SHUTDOWN_GRACE", "0s", "10m"],
  ] as const) {
    it(`takes ${name} from ${lowest} to ${highest}, both included`, () => {
      const others = { TALLY_DATABASE_POOL_SIZE: "1000", TALLY_RECORDER_QUEUE_LIMIT: "1000000" };
      expect(problemsOf({ ...others, [name]: lowest })).to.deep.equal([]);
      expect(problemsOf({ ...others, [name]: highest })).to.deep.equal([]);
    });
  }

  it("takes a unix socket to listen on", () => {
    const { grpc } = loadConfig({ TALLY_GRPC_ADDRESS: "unix:/run/tally.sock" });
    expect(grpc.address).to.equal("unix:/run/tally.sock");
  });

  it("takes an empty variable for an unset one", () => {
    expect(loadConfig({ TALLY_LOG_LEVEL: "", DATABASE_URL: "" })).to.deep.equal(loadConfig({}));
  });

  it("freezes what it returns", () => {
    const config = loadConfig({});
    expect(Object.isFrozen(config)).to.equal(true);
    for (const group of Object.values(config)) expect(Object.isFrozen(group)).to.equal(true);
  });

  const REFUSED: readonly (readonly [name: string, value: string, allowed: string])[] = [
    ["TALLY_GRPC_ADDRESS", "50051", "HOST:PORT"],
    ["TALLY_GRPC_ADDRESS", ":50051", "HOST:PORT"],
    ["TALLY_GRPC_ADDRESS", "localhost:65536", "from 0 (any free one) to 65535"],
    ["TALLY_GRPC_ADDRESS", "::1:50051", "HOST:PORT"],
    ["TALLY_MAX_MESSAGE_BYTES", "65535", "from 64KiB to 64MiB"],
    ["TALLY_MAX_MESSAGE_BYTES", "65MiB", "from 64KiB to 64MiB"],
    ["TALLY_MAX_MESSAGE_BYTES", "4MB", "KiB or MiB"],
    ["TALLY_AUTH", "on", "one of none, required"],
    ["TALLY_DATA_DIR", "a\0b", "the path of a directory"],
    ["TALLY_DATABASE_POOL_SIZE", "1", "a whole number from 2 to 1000"],
    ["TALLY_DATABASE_POOL_SIZE", "ten", "a whole number from 2 to 1000"],
    ["TALLY_RECORDER_LANES", "0", "a whole number from 1 to 32"],
    ["TALLY_RECORDER_LANES", "33", "a whole number from 1 to 32"],
    ["TALLY_RECORDER_LANES", "2.5", "a whole number from 1 to 32"],
    ["TALLY_RECORDER_BATCH_SIZE", "-1", "a whole number from 1 to 4096"],
    ["TALLY_RECORDER_QUEUE_LIMIT", "1e3", "a whole number from 1 to 1000000"],
    ["TALLY_SHUTDOWN_GRACE", "10", "with its unit (ms, s, m or h) from 0s to 10m"],
    ["TALLY_SHUTDOWN_GRACE", "11m", "from 0s to 10m"],
    ["TALLY_LOG_LEVEL", "verbose", "one of trace, debug, info, warn, error, fatal, silent"],
  ];
  for (const [name, value, allowed] of REFUSED) {
    it(`refuses ${name}=${JSON.stringify(value)} and tells what is allowed`, () => {
      const [problem, ...others] = problemsOf({ [name]: value });
      expect(problem).to.match(new RegExp(`^${name}: must be `));
      expect(problem).to.include(allowed);
      expect(problem).to.include(`(was ${JSON.stringify(value)})`);
      expect(others).to.deep.equal([]);
    });
  }

  it("traces when an endpoint is set or traces are asked for, unless told not to", () => {
    const endpoint = "http://c:4318";
    expect(loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).tracing).to.include({ endpoint });
    const asked = loadConfig({ OTEL_TRACES_EXPORTER: "otlp" }).tracing;
    expect(asked).to.include({ endpoint: "http://localhost:4318", samplerRatio: 1 });
    const none = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: "none" };
    expect(loadConfig(none).tracing).to.equal(undefined);
  });

  for (const [name, value] of [
    ["OTEL_EXPORTER_OTLP_HEADERS", "secret"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a=%secret"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "secret:4318"],
  ] as const) {
    it(`refuses ${name}=${value} without repeating it`, () => {
      const problems = problemsOf({ [name]: value });
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(new RegExp(`^${name}: must be `));
      expect(problems[0]).not.to.include("secret");
    });
  }

  for (const url of ["mysql://tally:secret@db/tally", "secret", "postgres://tally:secret@[/db"]) {
    it(`refuses DATABASE_URL=${url} without repeating its password`, () => {
      const problems = problemsOf({ DATABASE_URL: url });
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(/^DATABASE_URL: must be a URL such as postgres:/);
      expect(problems[0]).not.to.include("secret");
    });
  }

  it("refuses a REDIS_URL without repeating its password", () => {
    const [problem, ...others] = problemsOf({ REDIS_URL: "redis://tally:secret@host:99999" });
    expect(problem)
      .to.match(/^REDIS_URL: must be a URL such as redis:/)
      .and.not.include("secret");
    expect(others).to.deep.equal([]);
  });

  it("reports every problem at once", () => {
    const env = {
      TALLY_LOG_LEVEL: "loud",
      TALLY_RECORDER_LANES: "0",
      TALLY_SHUTDOWN_GRACE: "soon",
    };
    expect(problemsOf(env).map((problem) => problem.split(":")[0])).to.have.members([
      "TALLY_LOG_LEVEL",
      "TALLY_RECORDER_LANES",
      "TALLY_SHUTDOWN_GRACE",
    ]);
    expect(() => loadConfig(env)).to.throw(ConfigError, /^invalid configuration\n {2}TALLY_.*\n/);
  });

  it("refuses settings that contradict each other", () => {
    expect(
      problemsOf({
        TALLY_DATABASE_POOL_SIZE: "4",
        TALLY_RECORDER_LANES: "4",
        TALLY_RECORDER_BATCH_SIZE: "100",
        TALLY_RECORDER_QUEUE_LIMIT: "99",
      }),
    ).to.deep.equal([
      "TALLY_DATABASE_POOL_SIZE: must be larger than TALLY_RECORDER_LANES, 4 (was 4)",
      "TALLY_RECORDER_QUEUE_LIMIT: must be at least TALLY_RECORDER_BATCH_SIZE, 100 (was 99)",
    ]);
  });
});

describe("unknownSettings", () => {
  it("wants settings of TLS that need each other together", () => {
    const incomplete: [Environment, string][] = [
      [{ TALLY_TLS_CERT: "c" }, "TALLY_TLS_KEY: must be set when TALLY_TLS_CERT is"],
      [{ TALLY_TLS_KEY: "k" }, "TALLY_TLS_CERT: must be set when TALLY_TLS_KEY is"],
      [{ TALLY_TLS_CLIENT_CA: "a" }, "TALLY_TLS_CERT: must be set when TALLY_TLS_CLIENT_CA is"],
      [
        { TALLY_TLS_CLIENT_CERTIFICATES: "required" },
        'TALLY_TLS_CLIENT_CA: must be set when TALLY_TLS_CLIENT_CERTIFICATES is "required"',
      ],
    ];
    for (const [env, problem] of incomplete) expect(problemsOf(env)).to.deep.equal([problem]);
  });

  it("lets only this machine in while nobody is asked who they are", () => {
    const [problem, ...others] = problemsOf({ TALLY_GRPC_ADDRESS: "0.0.0.0:50051" });
    expect(problem).to.match(
      /^TALLY_GRPC_ADDRESS: must be a loopback address .*TALLY_AUTH is none/,
    );
    expect(problem).to.include('(was "0.0.0.0:50051")').and.include("TALLY_AUTH=required");
    expect(others).to.deep.equal([]);
    const { TALLY_HTTP_ADDRESS, TALLY_HTTP_ALLOWED_ORIGINS } = {
      TALLY_HTTP_ADDRESS: "0.0.0.0:8080",
      TALLY_HTTP_ALLOWED_ORIGINS: "https://a.corp,*",
    };
    expect(problemsOf({ TALLY_HTTP_ADDRESS })[0]).to.match(
      /^TALLY_HTTP_ADDRESS: must be a loopback address .*TALLY_AUTH is none/,
    );
    expect(problemsOf({ TALLY_HTTP_ALLOWED_ORIGINS })[0]).to.match(
      /^TALLY_HTTP_ALLOWED_ORIGINS: must not be "\*" while TALLY_AUTH is none/,
    );
    const http = { TALLY_HTTP_ADDRESS, TALLY_HTTP_ALLOWED_ORIGINS, TALLY_AUTH: "required" };
    expect(problemsOf(http)).to.deep.equal([]);
    expect(problemsOf({ TALLY_HTTP_ALLOWED_ORIGINS: "dash.corp" })).to.have.lengthOf(1);
    expect(loadConfig({ TALLY_HTTP_ADDRESS: "off" }).http.address).to.equal(undefined);
    const asked = { TALLY_GRPC_ADDRESS: "0.0.0.0:50051", TALLY_AUTH: "required" };
    expect(problemsOf(asked)).to.deep.equal([]);
  });

  it("names variables that are no settings", () => {
    const env = { TALLY_GRPC_ADRESS: "x", TALLY_LOG_LEVEL: "info", PATH: "/bin", TALLY_A: "1" };
    expect(unknownSettings(env)).to.deep.equal(["TALLY_A", "TALLY_GRPC_ADRESS"]);
  });
});

import { spawnSync } from "node:child_process";
import { expect } from "chai";
import { createLogger, type LogLevel } from "../../src/telemetry/logger.js";

function linesOf(log: (logger: ReturnType<typeof createLogger>) => void, level: LogLevel = "info") {
  const lines: string[] = [];
  log(createLogger({ level, destination: { write: (line) => void lines.push(line) } }));
  return lines;
}

describe("createLogger", () => {
  it("writes one JSON object a line, with a name, a level and an ISO time", () => {
    const [line = ""] = linesOf((logger) => logger.info({ count: 3 }, "hello"));
    expect(line.endsWith("\n")).to.equal(true);
    const fields = JSON.parse(line);
    expect(fields).to.include({ level: "info", name: "tally", msg: "hello", count: 3 });
    expect(fields.time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it("keeps to its level", () => {
    const all = (logger: ReturnType<typeof createLogger>) => {
      logger.debug("d");
      logger.info("i");
      logger.warn("w");
    };
    expect(linesOf(all, "debug")).to.have.length(3);
    expect(linesOf(all, "warn")).to.have.length(1);
    expect(linesOf(all, "silent")).to.have.length(0);
  });

  it("writes no headers, no bodies and no credentials", () => {
    const [line = ""] = linesOf((logger) =>
      logger.info({
        authorization: "secret-1",
        headers: { cookie: "secret-2" },
        usage: { requestBody: "secret-3", responseHeaders: { a: "secret-4" }, model: "m" },
        record: { request_body: ["secret-5"] },
      }),
    );
    expect(line).not.to.include("secret");
    expect(JSON.parse(line)).to.deep.include({
      authorization: "[redacted]",
      usage: { requestBody: "[redacted]", responseHeaders: "[redacted]", model: "m" },
    });
  });

  it("writes an error, its code and its causes, and not the row that PostgreSQL repeats", () => {
    const cause = Object.assign(new Error("violates a constraint"), {
      code: "23514",
      constraint: "usage_records_check",
      detail: "Failing row contains (secret)",
      where: "COPY usage_records: secret",
    });
    const error = new AggregateError([new Error("first")], "outer", { cause });
    const [line = ""] = linesOf((logger) => logger.error({ err: error }, "failed"));
    expect(line).not.to.include("secret");
    const { err } = JSON.parse(line);
    expect(err).to.include({ type: "AggregateError", message: "outer" });
    expect(err.stack).to.include("logger.test.ts");
    expect(err.errors[0]).to.include({ message: "first" });
    expect(err.cause).to.include({
      message: "violates a constraint",
      code: "23514",
      constraint: "usage_records_check",
    });
  });

  it("survives causes that go in a circle, and errors that are none", () => {
    const error = new Error("circle");
    error.cause = error;
    const lines = linesOf((logger) => {
      logger.error({ err: error });
      logger.error({ err: "a text" });
    });
    expect(JSON.parse(lines[0] ?? "").err.cause.cause.message).to.equal("circle");
    expect(JSON.parse(lines[1] ?? "").err).to.include({ type: "string", message: "a text" });
  });

  it("writes to standard error, and everything before the process exits", () => {
    const program = `
      const { createLogger } = await import("./src/telemetry/logger.ts");
      const logger = createLogger();
      for (let index = 0; index < 1000; index += 1) logger.info({ index }, "line");
      process.exit(3);
    `;
    const options = ["--import", "tsx", "--input-type=module", "--eval", program];
    const { status, stdout, stderr } = spawnSync(process.execPath, options, { encoding: "utf8" });
    expect(status).to.equal(3);
    expect(stdout).to.equal("");
    const lines = stderr.trimEnd().split("\n");
    expect(lines).to.have.length(1_000);
    expect(JSON.parse(lines.at(-1) ?? "").index).to.equal(999);
  });
});

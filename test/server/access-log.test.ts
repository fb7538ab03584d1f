import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { createAccessLog } from "../../src/server/access-log.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { startTestApp } from "../support/app.js";
import { eventually } from "../support/eventually.js";

type Line = Readonly<Record<string, unknown>>;

function recording(level: "info" | "debug" | "warn") {
  const lines: Line[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { logger: createLogger({ level, destination }), lines };
}

describe("the access log", () => {
  for (const [choice, answered, failed] of [
    ["none", 0, 0],
    ["failed", 0, 1],
    ["all", 1, 1],
  ] as const) {
    it(`has a line for each call that ${choice} asks for`, async () => {
      const { logger, lines } = recording("info");
      const app = await startTestApp({ logger, env: { TALLY_ACCESS_LOG: choice } });
      try {
        const { checker, recorder } = app.clients;
        await checker.checkQuota({ userId: "u" }, { headers: { "x-request-id": "good" } });
        await recorder
          .getUsage({ requestId: "none" }, { headers: { "x-request-id": "bad" } })
          .catch(() => undefined);
      } finally {
        await app.stop();
      }
      const good = lines.filter(({ requestId }) => requestId === "good");
      const bad = lines.filter(({ requestId }) => requestId === "bad");
      expect(good).to.have.length(answered);
      expect(bad).to.have.length(failed);
      for (const line of good) {
        expect(line).to.include({
          level: "info",
          msg: "call answered",
          code: "OK",
          caller: "local",
          method: "tally.v1.QuotaChecker/CheckQuota",
        });
        expect(line.durationMs).to.be.within(0, 60_000);
        expect(line.peer).to.match(/^127\.0\.0\.1:\d+$/);
      }
      for (const line of bad) {
        const expected = {
          msg: "call failed",
          code: "NOT_FOUND",
          reason: "USAGE_RECORD_NOT_FOUND",
        };
        expect(line).to.include({ level: "info", ...expected });
      }
    });
  }

  it("is nobody's work where nobody would see it", () => {
    expect(createAccessLog(recording("warn").logger, "all")).to.equal(undefined);
    expect(createAccessLog(recording("info").logger, "none")).to.equal(undefined);
  });
});

describe("the log at its most talkative", () => {
  it("holds no token, no header and no body, whatever becomes of the call", async () => {
    const { logger, lines } = recording("debug");
    const secret = (name: string) => `SECRET-${name}-${randomUUID()}`;
    const app = await startTestApp({ logger, env: { TALLY_ACCESS_LOG: "all" } });
    const required = await startTestApp({
      logger,
      env: { TALLY_ACCESS_LOG: "all", TALLY_AUTH: "required" },
      replicaOf: app,
    });
    try {
      const headers = {
        authorization: `Bearer ${secret("token")}`,
        cookie: secret("cookie"),
        "x-api-key": secret("key"),
        "x-request-id": `bad id ${secret("id")}`,
      };
      const usage = {
        requestId: "r-1",
        userId: "u",
        model: "m",
        requestHeaders: { authorization: secret("provider") },
        metadata: { note: secret("metadata") },
        requestBody: { kind: { case: "stringValue" as const, value: secret("body") } },
      };
      for (const { clients } of [app, required]) {
        await clients.recorder.recordUsage({ usage }, { headers }).catch(() => undefined);
        const negative = { ...usage, inputTokens: -1n };
        await clients.recorder.recordUsage({ usage: negative }, { headers }).catch(() => undefined);
        const huge = { ...usage, requestId: secret("long").repeat(20) };
        await clients.recorder.recordUsage({ usage: huge }, { headers }).catch(() => undefined);
      }
      await eventually("the lines are there", () =>
        lines.filter(({ code }) => code !== undefined).length >= 6 ? true : undefined,
      );
    } finally {
      await required.stop();
      await app.stop();
    }
    const text = JSON.stringify(lines);
    for (const name of ["token", "cookie", "key", "id", "provider", "metadata", "body"]) {
      expect(text).not.to.include(`SECRET-${name}-`);
    }
    expect(lines.filter(({ code }) => code === "UNAUTHENTICATED")).to.have.length(3);
  });
});

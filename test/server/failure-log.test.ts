import { expect } from "chai";
import { DomainError, invalidField, shuttingDown } from "../../src/errors.js";
import { createFailureLog } from "../../src/server/failure-log.js";
import { recordingLogger } from "./test-server.js";

describe("the failure log", () => {
  let nowMs = 0;

  function reportAll(...errors: DomainError[]) {
    const { logger, lines } = recordingLogger();
    const failures = createFailureLog(() => nowMs);
    for (const error of errors) failures.report(error, logger, () => logger);
    return lines;
  }

  it("writes every defect as an error, with its cause", () => {
    const defect = new DomainError("INTERNAL", "internal error", { cause: new TypeError("oops") });
    const lines = reportAll(defect, defect);
    expect(lines.map(({ level }) => level)).to.deep.equal(["error", "error"]);
    expect(lines[0]?.err).to.include({ type: "TypeError", message: "oops" });
  });

  it("warns once a second of what is away, and says how much it kept to itself", () => {
    const { logger, lines } = recordingLogger();
    const failures = createFailureLog(() => nowMs);
    const away = new DomainError("DATABASE_UNAVAILABLE", "away", {
      cause: new Error("ECONNREFUSED"),
    });
    for (nowMs = 0; nowMs <= 1_000; nowMs += 100) failures.report(away, logger, () => logger);
    const warnings = lines.filter(({ level }) => level === "warn");
    expect(warnings.map(({ suppressed }) => suppressed)).to.deep.equal([0, 9]);
    expect(warnings[0]?.err).to.include({ message: "ECONNREFUSED" });
  });

  it("takes what callers did wrong, and our own end, for debugging only", () => {
    const lines = reportAll(invalidField("hours", 0, "must be at least 1"), shuttingDown());
    expect(lines.map(({ level, reason }) => [level, reason])).to.deep.equal([
      ["debug", "INVALID_FIELD"],
      ["debug", "SHUTTING_DOWN"],
    ]);
  });
});

import { expect } from "chai";
import { DatabaseUnavailableError, isRetryable, isUnavailable } from "../../src/database/errors.js";

function error(message: string, fields: object = {}): Error {
  return Object.assign(new Error(message), fields);
}

describe("isUnavailable", () => {
  const outages: Record<string, unknown> = {
    "our own error": new DatabaseUnavailableError("away"),
    "a server that shuts down": error("terminating connection", { code: "57P01" }),
    "a server that crashed": error("terminating connection", { code: "57P02" }),
    "a server that starts": error("the database system is starting up", { code: "57P03" }),
    "a server without free connections": error("too many clients", { code: "53300" }),
    "a full disk": error("could not extend file", { code: "53100" }),
    "a connection exception": error("connection failure", { code: "08006" }),
    "a refused connection": error("connect", { code: "ECONNREFUSED", syscall: "connect" }),
    "a socket that is not there": error("connect", { code: "ENOENT", syscall: "connect" }),
    "a broken pipe": error("write", { code: "EPIPE" }),
    "a connection lost by pg": error("Connection terminated unexpectedly"),
    "the same in Knex's words": error("select $1 - Connection terminated unexpectedly"),
    "a connection that takes too long": error("timeout expired"),
    "a pool that is full": error("Knex: Timeout", { name: "KnexTimeoutError" }),
    "a pool that is closed": error("Unable to acquire a connection"),
    "all addresses of a host": new AggregateError([
      error("connect", { code: "ECONNREFUSED" }),
      error("connect", { code: "EHOSTUNREACH" }),
    ]),
  };
  for (const [what, value] of Object.entries(outages)) {
    it(`is true for ${what}`, () => {
      expect(isUnavailable(value)).to.equal(true);
    });
  }

  const mistakes: Record<string, unknown> = {
    "a duplicate key": error("duplicate key", { code: "23505" }),
    "a statement that took too long": error("canceling statement", { code: "57014" }),
    "a deadlock": error("deadlock detected", { code: "40P01" }),
    "a wrong password": error("password authentication failed", { code: "28P01" }),
    "a missing file": error("open", { code: "ENOENT", syscall: "open" }),
    "a message about connections": error("Connection terminated by the user's wish, or so he says"),
    "an error of several, one of them a mistake": new AggregateError([
      error("connect", { code: "ECONNREFUSED" }),
      error("certificate has expired", { code: "CERT_HAS_EXPIRED" }),
    ]),
    "an empty set of errors": new AggregateError([]),
    "no error": undefined,
    "a text": "ECONNREFUSED",
  };
  for (const [what, value] of Object.entries(mistakes)) {
    it(`is false for ${what}`, () => {
      expect(isUnavailable(value)).to.equal(false);
    });
  }
});

describe("isRetryable", () => {
  it("is true for deadlocks and serialization failures alone", () => {
    const codes = ["40P01", "40001", "23505", "57P01", "55P03", undefined];
    expect(codes.filter((code) => isRetryable(error("failed", { code })))).to.deep.equal([
      "40P01",
      "40001",
    ]);
  });
});

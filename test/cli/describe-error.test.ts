import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { CommandError } from "../../src/cli/command-error.js";
import { describeError } from "../../src/cli/describe-error.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { DatabaseUnavailableError } from "../../src/database/errors.js";
import { ServerGoneError } from "../../src/traffic/retry.js";

const UNREACHABLE = new RpcError(
  create(StatusSchema, { code: Code.UNAVAILABLE, message: "connect ECONNREFUSED" }),
);

const CASES: readonly (readonly [name: string, error: unknown, text: string])[] = [
  ["an error", new Error("no such file"), "error: no such file\n"],
  ["what is no error", "odd", "error: odd\n"],
  [
    "an error without a text",
    new AggregateError([new Error("::1 refused"), new Error("127.0.0.1 refused")]),
    "error: Error: ::1 refused; Error: 127.0.0.1 refused\n",
  ],
  [
    "an error that knows what to do",
    new CommandError("not built", { hint: "npm run build" }),
    "error: not built\nhint: npm run build\n",
  ],
  [
    "a server that is not there",
    UNREACHABLE,
    "error: UNAVAILABLE: connect ECONNREFUSED\n" +
      "hint: is tally serve running there? --address or TALLY_GRPC_ADDRESS tells where it is\n",
  ],
  [
    "a server that went away",
    new ServerGoneError(60_400, UNREACHABLE),
    "error: no answer for 60 s; last: UNAVAILABLE: connect ECONNREFUSED\n" +
      "hint: start the server and repeat the command: what is recorded is not recorded twice\n",
  ],
  [
    "a database that is away",
    new DatabaseUnavailableError("the database is not available"),
    "error: the database is not available\n" +
      "hint: check DATABASE_URL and that PostgreSQL runs, or unset it to use the embedded one\n",
  ],
];

describe("describeError", () => {
  for (const [name, error, text] of CASES) {
    it(`describes ${name}`, () => {
      expect(describeError(error, { withStack: false })).to.equal(text);
    });
  }

  it("shows the stacks of the error and its causes to those who ask", () => {
    const error = new Error("outer", { cause: new Error("inner") });
    const text = describeError(error, { withStack: true });
    expect(text).to.match(/^error: outer\nError: outer\n {4}at /);
    expect(text).to.match(/\ncaused by: Error: inner\n {4}at /);
    expect(describeError(error, { withStack: false })).not.to.include("    at ");
  });
});

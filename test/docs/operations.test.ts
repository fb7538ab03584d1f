import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Analytics } from "../../gen/tally/v1/analytics_pb.js";
import { Identity } from "../../gen/tally/v1/identity_pb.js";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import { toBufCurl } from "./buf-curl.js";
import { readCommands } from "./commands.js";
import { describeOperations, OPERATIONS_PAGE } from "./operations-suite.js";

const BUF = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));

const NOWHERE = { TALLY: "", AUTH: "" };

describe("docs/operations.md by buf curl", () => {
  describeOperations({ file: () => BUF, translate: toBufCurl });

  it("tells of every method about statistics, books and callers", () => {
    const told = new Set(readCommands(OPERATIONS_PAGE, NOWHERE).map(({ subject }) => subject));
    for (const { typeName, methods } of [Analytics, Identity, Operations]) {
      for (const { name } of methods) expect(told).to.include(`${typeName}/${name}`);
    }
  });
});

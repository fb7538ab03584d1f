import { fileURLToPath } from "node:url";
import { toBufCurl } from "./buf-curl.js";
import { describeOperations } from "./operations-suite.js";

const BUF = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));

describe("docs/operations.md by buf curl", () => {
  describeOperations({ file: () => BUF, translate: toBufCurl });
});

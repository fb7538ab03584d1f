import { installGoProgram, prepareOrSkip } from "../examples/toolchains.js";
import { describeOperations } from "./operations-suite.js";

describe("docs/operations.md by grpcurl", () => {
  let grpcurl: string;
  before(function () {
    return prepareOrSkip(this, async () => {
      grpcurl = await installGoProgram("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.3");
    });
  });

  describeOperations({ file: () => grpcurl, translate: (args) => args });
});

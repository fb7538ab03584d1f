import { expect } from "chai";
import { explainInitdbFailure } from "../../../src/database/embedded/cluster-init.js";

describe("explainInitdbFailure", () => {
  it("shows what initdb said", () => {
    const message = explainInitdbFailure("exit code 1", "initdb: error: no space left on device");
    expect(message).to.equal(
      "initdb failed (exit code 1):\ninitdb: error: no space left on device",
    );
  });

  it("knows the way out for a user without a name, as containers often have", () => {
    const output = "initdb: could not look up effective user ID 12345: user does not exist";
    expect(explainInitdbFailure("exit code 1", output)).to.match(/12345.*\/etc\/passwd/s);
  });
});

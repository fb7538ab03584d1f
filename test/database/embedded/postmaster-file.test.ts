import { expect } from "chai";
import { parsePostmasterFile } from "../../../src/database/embedded/postmaster-file.js";

describe("parsePostmasterFile", () => {
  const whole = "4711\n/data\n1700000000\n5432\n/run/sockets\n\n  1234  5678\nready   \n";

  it("reads the process and the place of its socket", () => {
    expect(parsePostmasterFile(whole)).to.deep.equal({
      pid: 4711,
      socketDirectory: "/run/sockets",
    });
  });

  const incomplete = {
    "an empty file": "",
    "a file cut short": "4711\n/data\n1700000000\n",
    "a file without a socket": "4711\n/data\n1700000000\n5432\n\n",
    "a standalone backend": whole.replace("4711", "-4711"),
    "no number": whole.replace("4711", "x"),
  };
  for (const [what, text] of Object.entries(incomplete)) {
    it(`finds no server in ${what}`, () => {
      expect(parsePostmasterFile(text)).to.equal(undefined);
    });
  }
});

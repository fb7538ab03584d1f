import { clientFolder } from "./folders.js";
import { describeGateway } from "./gateway-suite.js";

const cwd = clientFolder("typescript");

describe("examples/clients/typescript", () => {
  describeGateway(() => ({
    file: process.execPath,
    args: ["--import", "tsx", "gateway.ts"],
    cwd,
  }));
});

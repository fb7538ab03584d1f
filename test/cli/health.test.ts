import { expect } from "chai";
import { Command } from "commander";
import { registerHealthCommand } from "../../src/cli/health.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { startTestApp, type TestApp } from "../support/app.js";

describe("tally health", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp({ env: { TALLY_AUTH: "required" } });
  });
  after(() => app.stop());

  async function health(address: string): Promise<string> {
    let printed = "";
    const program = new Command("tally").exitOverride();
    registerHealthCommand(program, { write: (text) => (printed += text) });
    await program.parseAsync(["health", "--address", address], { from: "user" });
    return printed;
  }

  it("says SERVING of a server that takes calls, and needs no token", async () => {
    const exitCode = process.exitCode;
    expect(await health(app.address)).to.equal("SERVING\n");
    expect(process.exitCode).to.equal(exitCode);
  });

  it("fails, and so the program, where nobody listens", async () => {
    const failure = await health("127.0.0.1:1").catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(RpcError);
    expect((failure as RpcError).code).to.equal(14);
  });
});

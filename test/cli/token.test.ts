import { expect } from "chai";
import { Command } from "commander";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import { registerCertificateCommands } from "../../src/cli/certificate.js";
import { registerTokenCommands } from "../../src/cli/token.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { type SecuredApp, startSecuredApp } from "../identity/secured-app.js";
import { toDatabaseUrl } from "../support/app.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { runTally } from "./run-tally.js";

describe("tally token", () => {
  let secured: SecuredApp;
  let root: string;

  before(async () => {
    secured = await startSecuredApp();
    root = await bootstrap();
    await eventually("the server knows the first token", () => isKnown(root));
  });
  after(() => secured.stop());

  /** The first admin's token, made by a process that knows the database alone. */
  async function bootstrap(): Promise<string> {
    const args = ["token", "create", "--bootstrap", "--name", "root", "--role", "admin"];
    const ended = await runTally(args, { DATABASE_URL: toDatabaseUrl(secured.app.connection) });
    expect(ended.stderr).to.match(/^token [0-9a-f-]{36}; keep its secret/);
    expect(ended.exitCode).to.equal(0);
    return ended.stdout.trim();
  }

  function isKnown(token: string): Promise<boolean> {
    const asked = secured.client(Operations, { token }).getServerInfo({});
    return asked.then(
      () => true,
      () => false,
    );
  }

  /** What the command prints: results, and remarks about them. */
  async function run(...args: string[]): Promise<{ out: string; remarks: string }> {
    const printed = { out: "", remarks: "" };
    const program = new Command("tally").exitOverride();
    const out = { write: (text: string) => (printed.out += text) };
    registerTokenCommands(program, {
      out,
      remarks: { write: (text) => (printed.remarks += text) },
    });
    registerCertificateCommands(program, out);
    const server = ["--address", secured.app.address, "--token", root];
    await program.parseAsync([...args, ...server], { from: "user" });
    return printed;
  }

  it("makes tokens, shows them, gives them new secrets and ends them", async () => {
    const made = await run(
      ...["token", "create", "--name", "alice's board", "--role", "analyst", "--user", "alice"],
      ...["--expires-in", "90d"],
    );
    const first = made.out.trim();
    const [, tokenId = ""] = /^token (\S+);/.exec(made.remarks) ?? [];
    expect(await isKnown(root)).to.equal(true);
    const listed = (await run("token", "list")).out;
    const inNinetyDays = new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10);
    expect(listed).to.match(
      new RegExp(`${tokenId} +alice's board +analyst +alice +${inNinetyDays}`),
    );
    expect(listed).not.to.include(first);

    const rotated = await run("token", "rotate", tokenId, "--grace", "0s");
    expect(rotated.remarks).to.match(/^the old secret is valid until 20\d\d-/);
    const refusalOf = async (token: string) =>
      (await rpcFailure(secured.client(Operations, { token }).verifyLedger({}))).reason;
    expect(await refusalOf(first)).to.equal("CREDENTIALS_EXPIRED");
    expect(await refusalOf(rotated.out.trim())).to.equal("PERMISSION_DENIED");

    expect((await run("token", "revoke", tokenId)).remarks).to.include("is revoked");
    expect(await refusalOf(rotated.out.trim())).to.equal("CREDENTIALS_INVALID");
    expect((await run("token", "list")).out).not.to.include(tokenId);
    expect((await run("token", "list", "--all")).out).to.include(tokenId);
  });

  it("says what the server says against it", async () => {
    const error = await run("token", "revoke", "nobody's").catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(RpcError).and.have.property("reason", "TOKEN_NOT_FOUND");
  });

  it("has its like for the names in certificates", async () => {
    const name = "URI:spiffe://corp/gateway";
    await run("certificate", "map", name, "--name", "gw", "--role", "gateway");
    expect((await run("certificate", "list")).out).to.match(/URI:spiffe:\S+ +gw +gateway +all/);
    expect((await run("certificate", "unmap", name)).out).to.include("lets nobody in any more");
    expect((await run("certificate", "unmap", name)).out).to.include("was not mapped");
  });
});

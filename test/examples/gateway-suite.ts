import { expect } from "chai";
import { v7 as uuidV7 } from "uuid";
import { Catalog } from "../../gen/tally/v1/catalog_pb.js";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetScope, UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { type SecuredApp, startSecuredApp } from "../identity/secured-app.js";
import { eventually } from "../support/eventually.js";
import { runCommand } from "../support/run-command.js";

/** How to run an example of examples/clients. */
export interface GatewayProgram {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Record<string, string>;
}

/** One request to a gateway, and what differs from the usual. */
interface GatewayRun {
  readonly requestId?: string;
  readonly userId: string;
  /** Default: 1,000, 200 and 100. */
  readonly tokens?: readonly [input: number, maxOutput: number, output: number];
  readonly mode?: "plain" | "stream";
  readonly env?: Record<string, string>;
}

/** What a token of the example's model costs. */
const INPUT_NANO_USD = 1_000n;
const OUTPUT_NANO_USD = 10_000n;

/** What every gateway of examples/clients must do, whatever its language. */
export function describeGateway(program: () => GatewayProgram): void {
  let secured: SecuredApp;
  /** An admin's, to look around; the gateways have one with their own role. */
  let token: string;
  let gatewayToken: string;

  before(async () => {
    secured = await startSecuredApp();
    token = (await secured.issue("admin")).secret;
    gatewayToken = (await secured.issue("gateway")).secret;
    await eventually("the tokens are known", () => isKnown(token, gatewayToken));
    const tier = {
      inputNanoUsdPerMillion: INPUT_NANO_USD * 1_000_000n,
      outputNanoUsdPerMillion: OUTPUT_NANO_USD * 1_000_000n,
    };
    const price = { model: "example-model", price: { tiers: [tier] } };
    await secured.client(Catalog, { token }).createModelPrice({ modelPrice: price });
  });
  after(() => secured?.stop());

  async function isKnown(...secrets: string[]): Promise<boolean> {
    const calls = secrets.map((secret) => secured.client(Operations, { token: secret }));
    const answers = await Promise.allSettled(calls.map((client) => client.getServerInfo({})));
    return answers.every(({ status }) => status === "fulfilled");
  }

  async function makeUser(limit: bigint): Promise<string> {
    const userId = uuidV7();
    const catalog = secured.client(Catalog, { token });
    await catalog.createUser({ user: { userId } });
    const budget = { budgetId: userId, scope: BudgetScope.USER, subject: userId, limit };
    await catalog.createBudget({ budget });
    return userId;
  }

  async function run({ requestId = uuidV7(), userId, ...rest }: GatewayRun): Promise<unknown> {
    const { tokens = [1_000, 200, 100], mode = "plain", env } = rest;
    const { file, args, cwd, env: own } = program();
    const given = [requestId, userId, ...tokens.map(String), mode];
    const { stdout, stderr, exitCode } = await runCommand(file, [...args, ...given], {
      cwd,
      env: { TALLY_ADDRESS: secured.app.address, TALLY_TOKEN: gatewayToken, ...own, ...env },
      timeoutMs: 60_000,
    });
    expect(exitCode, stderr).to.equal(0);
    return JSON.parse(stdout);
  }

  async function standing(budgetId: string): Promise<{ spent: bigint; open: number }> {
    const { budgets } = await secured.client(QuotaChecker, { token }).getQuota({
      subject: { case: "budgetId", value: budgetId },
    });
    return { spent: budgets[0]!.spent, open: budgets[0]!.reservations.length };
  }

  it("checks, records and settles", async () => {
    const userId = await makeUser(1_000_000_000n);
    const cost = 1_000n * INPUT_NANO_USD + 100n * OUTPUT_NANO_USD;
    const requestId = uuidV7();
    const ended = { outcome: "completed", outputTokens: 100, costNanoUsd: String(cost) };
    const first = await run({ requestId, userId });
    expect(first).to.deep.equal({ ...ended, record: "CREATED" });
    expect(await standing(userId)).to.deep.equal({ spent: cost, open: 0 });
  });

  it("streams past its estimate by extending, under way until it is recorded", async () => {
    const userId = await makeUser(1_000_000_000n);
    const requestId = uuidV7();
    const cost = 1_000n * INPUT_NANO_USD + 900n * OUTPUT_NANO_USD;
    const ended = await run({ requestId, userId, tokens: [1_000, 200, 900], mode: "stream" });
    expect(ended).to.deep.equal({
      outcome: "completed",
      outputTokens: 900,
      costNanoUsd: String(cost),
      record: "COMPLETED",
    });
    expect(await standing(userId)).to.deep.equal({ spent: cost, open: 0 });
    const { record } = await secured.client(UsageRecorder, { token }).getUsage({ requestId });
    expect(record!.status).to.equal(UsageStatus.COMPLETED);
    expect(record!.isStream).to.equal(true);
    expect(record!.firstByteTimeMs).to.be.a("bigint");
  });

  it("stops a stream where the funds end, and passes no limit", async () => {
    const limit = 1_000n * INPUT_NANO_USD + 500n * OUTPUT_NANO_USD;
    const userId = await makeUser(limit);
    const ended = await run({ userId, tokens: [1_000, 200, 900], mode: "stream" });
    expect(ended).to.deep.equal({
      outcome: "stopped",
      outputTokens: 500,
      costNanoUsd: String(limit),
      record: "COMPLETED",
    });
    expect(await standing(userId)).to.deep.equal({ spent: limit, open: 0 });
  });

  it("sends nothing that is denied, and tells why", async () => {
    const userId = await makeUser(1_000n);
    const denied = await run({ userId });
    expect(denied).to.deep.equal({ outcome: "denied", reason: "QUOTA_EXCEEDED" });
    expect(await standing(userId)).to.deep.equal({ spent: 0n, open: 0 });
  });

  it("denies what nobody can check, unless its setting lets it pass", async () => {
    const nowhere = { TALLY_ADDRESS: "127.0.0.1:1" };
    expect(await run({ userId: "any", env: nowhere })).to.deep.equal({ outcome: "unavailable" });
    const env = { ...nowhere, ON_UNAVAILABLE: "allow" };
    const passed = await run({ userId: "any", env });
    expect(passed).to.deep.equal({ outcome: "unrecorded", outputTokens: 100 });
  });
}

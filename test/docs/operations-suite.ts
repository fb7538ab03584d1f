import { expect } from "chai";
import { Catalog } from "../../gen/tally/v1/catalog_pb.js";
import { Operations } from "../../gen/tally/v1/operations_pb.js";
import { BudgetMeasure, BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { type SecuredApp, startSecuredApp } from "../identity/secured-app.js";
import { eventually } from "../support/eventually.js";
import { runCommand } from "../support/run-command.js";
import { type DocumentedCommand, readCommands } from "./commands.js";
import { expectations } from "./expectations.js";
import { holdsAMessage, parseMessages } from "./messages.js";

/** The page whose commands are run. */
export const OPERATIONS_PAGE = new URL("../../docs/operations.md", import.meta.url);

/** A program that takes documented commands. */
export interface CommandTool {
  /** The file to run, known when the tests begin. */
  file(): string;
  /** Its arguments for grpcurl's; undefined if it cannot do that. */
  translate(args: readonly string[]): readonly string[] | undefined;
}

const PLACE = { TALLY: "ADDRESS", AUTH: "AUTH" };

/** Declares a test for each command of docs/operations.md that the tool can run. */
export function describeOperations(tool: CommandTool): void {
  let secured: SecuredApp;
  let secret: string;
  /** What the page calls TOKEN_ID. */
  let tokenId = "TOKEN_ID";

  before(async () => {
    secured = await startSecuredApp();
    secret = (await secured.issue("admin")).secret;
    const operations = secured.client(Operations, { token: secret });
    await eventually("the token is known", () =>
      operations.getServerInfo({}).then(
        () => true,
        () => false,
      ),
    );
    await fireAnAlert(secured, secret);
  });
  after(() => secured.stop());

  for (const command of readCommands(OPERATIONS_PAGE, PLACE)) {
    if (tool.translate(command.args) === undefined) continue;
    it(`${command.heading}: ${command.subject} (line ${command.line})`, () => run(command));
  }

  async function run(command: DocumentedCommand): Promise<void> {
    const args = tool.translate(command.args)!.map((arg) =>
      arg
        .replace("ADDRESS", secured.app.address)
        .replace(/^AUTH$/, `authorization: Bearer ${secret}`)
        .replace("TOKEN_ID", tokenId),
    );
    const watches = command.subject.includes("/Watch");
    const options = watches ? { until: holdsAMessage } : {};
    const outcome = await runCommand(tool.file(), args, options);
    expect(outcome.exitCode, outcome.stderr + outcome.stdout).to.equal(0);
    expect(outcome.stdout).to.not.equal("");
    if (!command.subject.includes("/")) return;
    const messages = parseMessages(outcome.stdout);
    expectations[command.subject]?.(messages);
    const token = messages[0]?.token as { tokenId?: string } | undefined;
    if (command.subject.endsWith("/CreateToken")) tokenId = token?.tokenId ?? "";
  }
}

/** So that a page about alerts has one to show. */
async function fireAnAlert({ client }: SecuredApp, token: string): Promise<void> {
  await client(Catalog, { token }).createBudget({
    budget: {
      scope: BudgetScope.GLOBAL,
      measure: BudgetMeasure.REQUESTS,
      limit: 100n,
      alertPercents: [1],
    },
  });
  await client(UsageRecorder, { token }).recordUsage({ usage: { model: "any", userId: "any" } });
}

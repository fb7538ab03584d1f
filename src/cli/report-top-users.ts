import { type Command, Option } from "commander";
import {
  Analytics,
  GetTopUsersResponseSchema,
  UsageMeasure,
} from "../../gen/tally/v1/analytics_pb.js";
import { wholeNumberArgument } from "./arguments.js";
import type { CommandOutput } from "./catalog.js";
import { addScopeOptions, type ScopeOptions, scopeOf } from "./report-options.js";
import { count, money, text, writeReport } from "./report-output.js";
import { formatRange } from "./report-range.js";
import { withClient } from "./server-options.js";

const MEASURES = {
  cost: UsageMeasure.COST,
  tokens: UsageMeasure.TOKENS,
  requests: UsageMeasure.REQUESTS,
} as const;

interface TopUsersOptions extends ScopeOptions {
  readonly limit: number;
  readonly orderBy: keyof typeof MEASURES;
  readonly excludeStandaloneKeys: boolean;
}

const MAX_LIMIT = 1_000;

/** `tally report top-users`: who used most. */
export function registerTopUsersReport(report: Command, output: CommandOutput): void {
  addScopeOptions(report.command("top-users"))
    .description("who used most")
    .option("--limit <n>", "how many users", wholeNumberArgument(1, MAX_LIMIT), 10)
    .addOption(
      new Option("--order-by <measure>", "by what").choices(Object.keys(MEASURES)).default("cost"),
    )
    .option("--exclude-standalone-keys", "leave out what prepaid keys spent", false)
    .action((options: TopUsersOptions) => listTopUsers(options, output));
}

async function listTopUsers(options: TopUsersOptions, output: CommandOutput): Promise<void> {
  const answer = await withClient({ service: Analytics, server: options }, (client) =>
    client.getTopUsers({
      ...scopeOf(options),
      limit: options.limit,
      orderBy: MEASURES[options.orderBy],
      excludeStandaloneKeys: options.excludeStandaloneKeys,
    }),
  );
  const isTable = options.format === "table";
  writeReport(output, options.format, {
    schema: GetTopUsersResponseSchema,
    answer,
    rows: {
      title: formatRange(answer, options.timeZone),
      columns: COLUMNS.filter(({ isShown }) => isShown || !isTable),
      rows: answer.users.map((user) => {
        const names = isTable ? [] : [text(user.email), text(user.username)];
        return [
          text(isTable && user.email !== "" ? `${user.userId} <${user.email}>` : user.userId),
          ...names,
          count(user.requests),
          count(user.tokens),
          money(user.costNanoUsd),
          money(user.actualCostNanoUsd),
        ];
      }),
    },
  });
}

const COLUMNS = [
  { name: "user_id", title: "user", isShown: true },
  { name: "email", title: "email", isShown: false },
  { name: "username", title: "name", isShown: false },
  { name: "requests", title: "requests", isShown: true },
  { name: "tokens", title: "tokens", isShown: true },
  { name: "cost_usd", title: "cost", isShown: true },
  { name: "actual_cost_usd", title: "actual cost", isShown: true },
];

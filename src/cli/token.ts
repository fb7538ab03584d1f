import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, Option } from "commander";
import { Identity, type Token } from "../../gen/tally/v1/identity_pb.js";
import { toAscii } from "../ascii.js";
import type { Role } from "../caller.js";
import { loadConfig } from "../config.js";
import { createLogger } from "../telemetry/logger.js";
import { lifetimeArgument } from "./arguments.js";
import type { CommandOutput } from "./catalog.js";
import { roleName, roleOption, toProtoRole } from "./roles.js";
import { addServerOptions, type ServerOptions, withClient } from "./server-options.js";
import { createStyle } from "./style.js";
import { renderTables } from "./table.js";

interface CreateOptions extends ServerOptions {
  readonly name: string;
  readonly role: Role;
  readonly user: string;
  readonly expiresIn?: number;
  readonly bootstrap: boolean;
}

interface RotateOptions extends ServerOptions {
  readonly grace: number;
}

interface ListOptions extends ServerOptions {
  readonly all: boolean;
}

const DEFAULT_GRACE_MS = 3_600_000;
const MAX_NAME_LENGTH = 100;

/** Where the commands write: secrets and lists to one, what else there is to say to the other. */
interface TokenOutputs {
  readonly out: CommandOutput;
  readonly remarks: CommandOutput;
}

/** `tally token …`: who may call a server, by bearer token. */
export function registerTokenCommands(
  program: Command,
  outputs: TokenOutputs = { out: process.stdout, remarks: process.stderr },
): void {
  const token = program.command("token").description("say who may call a server, by bearer token");
  addServerOptions(token.command("create"))
    .description("make a token; prints its secret, which is shown only then")
    .requiredOption("--name <name>", "who uses it, for people and logs")
    .addOption(roleOption())
    .option("--user <id>", "the one user that an analyst may see", "")
    .addOption(
      new Option("--expires-in <time>", "90d, 12h, ...; never by default").argParser(
        lifetimeArgument,
      ),
    )
    .option("--bootstrap", "make it in the database itself, without a server or a token", false)
    .addHelpText("after", CREATE_HELP)
    .action((options: CreateOptions) => createToken(options, outputs));
  addServerOptions(token.command("list"))
    .description("show the tokens, without their secrets")
    .option("--all", "show revoked ones too", false)
    .action((options: ListOptions) => listTokens(options, outputs));
  addServerOptions(token.command("rotate"))
    .description("give a token a new secret, and print that")
    .argument("<token-id>", "as tally token list shows it")
    .addOption(
      new Option("--grace <time>", "how long the old secret stays valid")
        .argParser(lifetimeArgument)
        .default(DEFAULT_GRACE_MS, "1h"),
    )
    .action((tokenId: string, options: RotateOptions) => rotateToken(tokenId, options, outputs));
  addServerOptions(token.command("revoke"))
    .description("end a token for good")
    .argument("<token-id>", "as tally token list shows it")
    .action((tokenId: string, options: ServerOptions) => revokeToken(tokenId, options, outputs));
}

const CREATE_HELP = `
--bootstrap makes the first admin's token. It uses DATABASE_URL, or else the embedded database in
TALLY_DATA_DIR, which must not be open in a running server. A server on the same PostgreSQL knows
the token within a second.`;

async function createToken(options: CreateOptions, { out, remarks }: TokenOutputs): Promise<void> {
  const { name, role, user, expiresIn } = options;
  const expireTimeMs = expiresIn === undefined ? undefined : Date.now() + expiresIn;
  const made = options.bootstrap
    ? await bootstrapToken({ name, role, boundUserId: user || undefined, expireTimeMs })
    : await withClient({ service: Identity, server: options }, async (client) => {
        const { token, secret } = await client.createToken({
          name,
          role: toProtoRole(role),
          boundUserId: user,
          ...(expireTimeMs === undefined ? {} : { expireTime: timestampFromMs(expireTimeMs) }),
        });
        return { tokenId: token?.tokenId ?? "", secret };
      });
  remarks.write(`token ${made.tokenId}; keep its secret, which cannot be shown again:\n`);
  out.write(`${made.secret}\n`);
}

async function bootstrapToken(token: {
  readonly name: string;
  readonly role: Role;
  readonly boundUserId: string | undefined;
  readonly expireTimeMs: number | undefined;
}): Promise<{ tokenId: string; secret: string }> {
  const config = loadConfig(process.env);
  const level = process.env.TALLY_LOG_LEVEL ? config.log.level : "warn";
  const { makeBootstrapToken } = await import("../app-identity.js");
  return makeBootstrapToken(config, createLogger({ level }), token);
}

async function listTokens(options: ListOptions, { out }: TokenOutputs): Promise<void> {
  const tokens = await withClient({ service: Identity, server: options }, async (client) => {
    const listed: Token[] = [];
    let pageToken = "";
    do {
      const page = await client.listTokens({ includeRevoked: options.all, pageToken });
      listed.push(...page.tokens);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return listed;
  });
  const columns = ["name", "role", "user", "expires", "last used", "revoked"];
  const table = { title: "Tokens", columns, rows: tokens.map(toRow) };
  out.write(renderTables([table], createStyle(out, process.env.NO_COLOR)));
}

function toRow(token: Token): string[] {
  return [
    token.tokenId,
    toAscii(token.name, MAX_NAME_LENGTH),
    roleName(token.role),
    toAscii(token.boundUserId, MAX_NAME_LENGTH) || "all",
    timeText(token.expireTime) ?? "never",
    timeText(token.lastUsedTime) ?? "never",
    timeText(token.revokeTime) ?? "no",
  ];
}

function timeText(time: Token["createTime"]): string | undefined {
  return time && timestampDate(time).toISOString().replace(/\.\d+/, "");
}

async function rotateToken(
  tokenId: string,
  options: RotateOptions,
  { out, remarks }: TokenOutputs,
): Promise<void> {
  const gracePeriod = { seconds: BigInt(Math.round(options.grace / 1_000)) };
  const { token, secret } = await withClient({ service: Identity, server: options }, (client) =>
    client.rotateToken({ tokenId, gracePeriod }),
  );
  remarks.write(
    `the old secret is valid until ${timeText(token?.previousExpireTime)}; the new one:\n`,
  );
  out.write(`${secret}\n`);
}

async function revokeToken(
  tokenId: string,
  options: ServerOptions,
  { remarks }: TokenOutputs,
): Promise<void> {
  await withClient({ service: Identity, server: options }, (client) =>
    client.revokeToken({ tokenId }),
  );
  remarks.write(`token ${tokenId} is revoked\n`);
}

import type { Command } from "commander";
import { type CertificateMapping, Identity } from "../../gen/tally/v1/identity_pb.js";
import { toAscii } from "../ascii.js";
import type { Role } from "../caller.js";
import type { CommandOutput } from "./catalog.js";
import { roleName, roleOption, toProtoRole } from "./roles.js";
import { addServerOptions, type ServerOptions, withClient } from "./server-options.js";
import { createStyle } from "./style.js";
import { renderTables } from "./table.js";

interface MapOptions extends ServerOptions {
  readonly name: string;
  readonly role: Role;
  readonly user: string;
}

const MAX_NAME_LENGTH = 500;

/** `tally certificate …`: who may call a server, by the names in client certificates. */
export function registerCertificateCommands(
  program: Command,
  output: CommandOutput = process.stdout,
): void {
  const certificate = program
    .command("certificate")
    .description("say who may call a server, by the names in client certificates");
  addServerOptions(certificate.command("map"))
    .description("say who a client with this name in its certificate is")
    .argument("<name>", "subject alternative name: URI:..., DNS:... or email:...")
    .requiredOption("--name <name>", "who that is, for people and logs")
    .addOption(roleOption())
    .option("--user <id>", "the one user that an analyst may see", "")
    .action((san: string, options: MapOptions) => mapCertificate(san, options, output));
  addServerOptions(certificate.command("list"))
    .description("show what names in certificates mean")
    .action((options: ServerOptions) => listMappings(options, output));
  addServerOptions(certificate.command("unmap"))
    .description("take its meaning from a name")
    .argument("<name>", "subject alternative name, as it was mapped")
    .action((san: string, options: ServerOptions) => unmapCertificate(san, options, output));
}

async function mapCertificate(
  subjectAlternativeName: string,
  options: MapOptions,
  output: CommandOutput,
): Promise<void> {
  const { name, role, user } = options;
  await withClient({ service: Identity, server: options }, (client) =>
    client.mapCertificate({
      subjectAlternativeName,
      name,
      role: toProtoRole(role),
      boundUserId: user,
    }),
  );
  output.write(`${subjectAlternativeName} may call as ${role}\n`);
}

async function listMappings(options: ServerOptions, output: CommandOutput): Promise<void> {
  const mappings = await withClient({ service: Identity, server: options }, async (client) => {
    const listed: CertificateMapping[] = [];
    let pageToken = "";
    do {
      const page = await client.listCertificateMappings({ pageToken });
      listed.push(...page.mappings);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return listed;
  });
  const rows = mappings.map(({ subjectAlternativeName, name, role, boundUserId }) => [
    subjectAlternativeName,
    toAscii(name, MAX_NAME_LENGTH),
    roleName(role),
    toAscii(boundUserId, MAX_NAME_LENGTH) || "all",
  ]);
  const table = { title: "Certificates", columns: ["name", "role", "user"], rows };
  output.write(renderTables([table], createStyle(output, process.env.NO_COLOR)));
}

async function unmapCertificate(
  subjectAlternativeName: string,
  options: ServerOptions,
  output: CommandOutput,
): Promise<void> {
  const { removed } = await withClient({ service: Identity, server: options }, (client) =>
    client.unmapCertificate({ subjectAlternativeName }),
  );
  output.write(
    removed
      ? `${subjectAlternativeName} lets nobody in any more\n`
      : `${subjectAlternativeName} was not mapped\n`,
  );
}

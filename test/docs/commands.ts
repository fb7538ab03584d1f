import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** One grpcurl command of a page. */
export interface DocumentedCommand {
  /** The heading that it stands under. */
  readonly heading: string;
  readonly line: number;
  /** What grpcurl is called with. */
  readonly args: readonly string[];
  /** "tally.v1.Operations/VerifyLedger", or "list" and "describe". */
  readonly subject: string;
}

const COMMAND = /^grpcurl /;

/**
 * Takes the grpcurl commands out of the `sh` blocks of a Markdown page, in their order. A command
 * goes on until the next one or the end of its block.
 *
 * @param env - the variables that the commands name
 */
export function readCommands(page: URL, env: Record<string, string>): DocumentedCommand[] {
  const commands: DocumentedCommand[] = [];
  let heading = "";
  let inBlock = false;
  let open: { text: string; line: number } | undefined;
  const close = () => {
    if (open !== undefined) commands.push(toCommand(heading, open.line, open.text, env));
    open = undefined;
  };
  for (const [index, text] of readFileSync(page, "utf8").split("\n").entries()) {
    if (text.startsWith("```")) {
      close();
      inBlock = text === "```sh";
    } else if (!inBlock) {
      if (text.startsWith("#")) heading = text.replace(/^#+ /, "");
    } else if (COMMAND.test(text)) {
      close();
      open = { text, line: index + 1 };
    } else if (open !== undefined) {
      open = { ...open, text: `${open.text}\n${text}` };
    }
  }
  return commands;
}

function toCommand(
  heading: string,
  line: number,
  text: string,
  env: Record<string, string>,
): DocumentedCommand {
  const args = splitWords(text, env);
  const subject = args.findLast((arg) => /^(list|describe)$|\//.test(arg)) ?? "";
  return { heading, line, args, subject };
}

/** Lets the shell take the command apart, as it would for who copies it. */
function splitWords(command: string, env: Record<string, string>): string[] {
  const script = `set -eu\ngrpcurl() { printf '%s\\0' "$@"; }\n${command}\n`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`bash does not take\n${command}\n${stderr}`);
  return stdout.split("\0").slice(0, -1);
}

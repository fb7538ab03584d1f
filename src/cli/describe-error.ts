import { Code } from "../../gen/google/rpc/code_pb.js";
import { RpcError } from "../client/grpc-client.js";
import { ConfigError } from "../config.js";
import { isUnavailable } from "../database/errors.js";
import { ServerGoneError } from "../traffic/retry.js";
import { CommandError } from "./command-error.js";

/**
 * An error as the command line shows it: what went wrong, what to do about it where that is
 * known, and the stack only for those who ask.
 */
export function describeError(error: unknown, options: { readonly withStack: boolean }): string {
  const message = error instanceof Error ? messageOf(error) : String(error);
  const hint = hintFor(error);
  const lines = [`error: ${message}`];
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  if (options.withStack && error instanceof Error) lines.push(...stacksOf(error));
  return `${lines.join("\n")}\n`;
}

/** An AggregateError of several addresses, for one, has no message of its own. */
function messageOf(error: Error): string {
  if (error instanceof RpcError) return `${error.codeName}: ${error.message}`;
  if (error.message !== "") return error.message;
  if (error instanceof AggregateError) return error.errors.map(String).join("; ");
  return error.name;
}

function hintFor(error: unknown): string | undefined {
  if (error instanceof CommandError || error instanceof ConfigError) return error.hint;
  if (error instanceof ServerGoneError) {
    return "start the server and repeat the command: what is recorded is not recorded twice";
  }
  if (error instanceof RpcError && error.code === Code.UNAVAILABLE && error.reason === undefined) {
    return "is tally serve running there? --address or TALLY_GRPC_ADDRESS tells where it is";
  }
  if (error instanceof RpcError && error.code === Code.UNAUTHENTICATED) {
    return "TALLY_TOKEN or --token says who calls; docs/security.md tells how to make a token";
  }
  if (isUnavailable(error)) {
    return "check DATABASE_URL and that PostgreSQL runs, or unset it to use the embedded one";
  }
  return undefined;
}

function stacksOf(error: Error): string[] {
  const stacks = [error.stack ?? ""];
  for (let { cause } = error; cause instanceof Error; { cause } = cause) {
    stacks.push(`caused by: ${cause.stack}`);
  }
  return stacks;
}

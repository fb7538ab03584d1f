import { lstat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { formatAddress, type ListenAddress } from "./address.js";

/** The server cannot listen where it should; the message says what to do about it. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/**
 * Listens on the address. A socket file that a killed process left behind is replaced.
 *
 * @param setting - name of the setting that holds the address, for the text of errors.
 * @returns the address with the port that was really taken.
 * @throws ListenError
 */
export async function listen(
  server: Server,
  address: ListenAddress,
  setting: string,
): Promise<ListenAddress> {
  try {
    await tryListen(server, address);
  } catch (error) {
    if (!(await removeStaleSocket(address, error))) throw toListenError(address, setting, error);
    await tryListen(server, address);
  }
  const bound = server.address();
  if (bound === null || typeof bound === "string" || "path" in address) return address;
  return { host: address.host, port: bound.port };
}

function tryListen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Removes the file of a unix socket that nobody listens on. */
async function removeStaleSocket(address: ListenAddress, error: unknown): Promise<boolean> {
  if (!("path" in address) || codeOf(error) !== "EADDRINUSE") return false;
  const isSocket = (await lstat(address.path)).isSocket();
  if (!isSocket || (await isListenedOn(address.path))) return false;
  await unlink(address.path);
  return true;
}

function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Only a refusal proves that nobody is there.
    socket.once("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  });
}

function toListenError(address: ListenAddress, setting: string, cause: unknown): ListenError {
  const advice = `${adviceFor(codeOf(cause), address)}, or set ${setting} to another address`;
  return new ListenError(`cannot listen on ${formatAddress(address)}: ${advice}`, { cause });
}

function adviceFor(code: string | undefined, address: ListenAddress): string {
  switch (code) {
    case "EADDRINUSE":
      return "it is in use; stop the process that listens there";
    case "EACCES":
      // Node says the same of a socket whose directory is missing.
      return "path" in address
        ? "its directory is missing or not ours to write to; correct that"
        : "this user may not; run as one that may";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "this machine does not have that address; correct it";
    default:
      return `${code ?? "unknown error"}; check ${"path" in address ? "the path" : "the address"}`;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

import net from "node:net";
import { systemCode } from "./errors.js";

/** What connect() says when no process listens on a unix socket any more. */
const GONE_CODES = new Set(["ECONNREFUSED", "ENOENT", "ENOTSOCK"]);

/**
 * Connects to a unix socket to see whether a process listens on it. The kernel answers for a
 * dead process at once, and this holds between containers, where process ids say nothing.
 *
 * @returns what the process sent until it closed or `timeoutMs` passed, perhaps nothing;
 *   undefined when no process listens.
 */
export function probeSocket(path: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    let answer = "";
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.setEncoding("latin1").on("data", (text) => {
      answer += text;
    });
    // Any other failure, such as a full queue, comes from a process that is there.
    socket.on("error", (error) => {
      if (GONE_CODES.has(systemCode(error) ?? "")) resolve(undefined);
    });
    socket.on("close", () => resolve(answer));
  });
}

import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import type { ServerLimits } from "./limits.js";
import { watchPings } from "./limits-session.js";

/** What this module needs to know of the inside of grpc-js's server. */
interface ServerInside {
  readonly commonServerOptions?: { settings?: { maxHeaderListSize?: number } };
  readonly http2Servers?: ReadonlyMap<Http2Server, unknown>;
}

/**
 * Limits that grpc-js has no option for. Call it before the server makes its injector. Should the
 * inside change, Node's own limits remain: 64 KiB of headers, and a bounded queue of pings.
 *
 * @returns to be called when there is an injector.
 */
export function limitHttp2(
  server: Server,
  { maxHeaderBytes, maxPingsPerSecond }: ServerLimits,
): () => void {
  const inside = server as unknown as ServerInside;
  const { commonServerOptions } = inside;
  if (commonServerOptions !== undefined) {
    const { settings } = commonServerOptions;
    commonServerOptions.settings = { ...settings, maxHeaderListSize: maxHeaderBytes };
  }
  return () => {
    for (const http2 of inside.http2Servers?.keys() ?? []) {
      http2.on("session", (session: ServerHttp2Session) => watchPings(session, maxPingsPerSecond));
    }
  };
}

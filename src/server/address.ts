import { isIPv4 } from "node:net";

/** Where a server listens: a TCP port, or a unix socket. */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

const HIGHEST_PORT = 65_535;

/**
 * Reads "127.0.0.1:50051", "[::1]:50051", "localhost:0" (0: any free port), "unix:/run/tally.sock".
 *
 * @throws Error that repeats the text and says what is right.
 */
export function parseAddress(text: string): ListenAddress {
  const unix = /^unix:(?:\/\/)?(.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { path: unix[1] };
  const [, host, portText] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(portText);
  if (host === undefined || port > HIGHEST_PORT || isBareIpv6(host)) {
    throw new Error(
      `"${text}" is no address to listen on; write host:port ("127.0.0.1:50051", "[::1]:50051") ` +
        `or unix:/path`,
    );
  }
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port };
}

/** Text of an address that {@link parseAddress} and gRPC clients read. */
export function formatAddress(address: ListenAddress): string {
  if ("path" in address) return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/**
 * Whether only this machine can reach it. Names other than "localhost" count as reachable from
 * elsewhere, whatever they resolve to at the moment.
 */
export function isLoopback(address: ListenAddress): boolean {
  if ("path" in address) return true;
  const host = address.host.toLowerCase();
  if (host === "localhost" || host === "::1") return true;
  const ipv4 = host.replace(/^::ffff:/, "");
  return isIPv4(ipv4) && ipv4.startsWith("127.");
}

function isBareIpv6(host: string): boolean {
  return host.includes(":") && !/^\[.*\]$/.test(host);
}

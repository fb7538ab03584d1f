/** Where Redis is: one server, a master that Sentinel names, or a Cluster. */
export interface RedisAddress {
  readonly mode: "single" | "sentinel" | "cluster";
  readonly isTls: boolean;
  /** The server, the Sentinels, or some nodes of the Cluster; at least one. */
  readonly nodes: readonly RedisNode[];
  /** "" for none, like the other texts. */
  readonly username: string;
  readonly password: string;
  /** Number of the database; 0 in a Cluster. */
  readonly database: number;
  /** What the Sentinels call the master. */
  readonly masterName: string;
  /** What the Sentinels themselves want to know. */
  readonly sentinelUsername: string;
  readonly sentinelPassword: string;
}

/** One server. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

const URL_PARTS =
  /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

const HOST_AND_PORT = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/;

const MAX_DATABASE = 65_535;

/**
 * Reads `redis://user:password@host:6379/0`, `redis+sentinel://host:26379,host/master/0` or
 * `redis+cluster://host:6379,host`; with `rediss` for TLS. What the parts hold is percent-encoded
 * where need be.
 *
 * @returns undefined for anything else
 */
export function parseRedisUrl(text: string): RedisAddress | undefined {
  const parts = URL_PARTS.exec(text);
  if (parts === null) return undefined;
  const [, tls, mode = "single", user = "", hosts = "", path = "", query = ""] = parts;
  try {
    const nodes = hosts.split(",").map((host) => parseNode(host, mode === "sentinel"));
    const { masterName, database } = parsePath(path, mode);
    const { sentinelUsername, sentinelPassword } = parseQuery(query, mode);
    if (mode === "single" && nodes.length > 1) return undefined;
    const [username = "", ...password] = user.split(":");
    return {
      mode: mode as RedisAddress["mode"],
      isTls: tls === "s",
      nodes,
      username: decodeURIComponent(username),
      password: decodeURIComponent(password.join(":")),
      database,
      masterName,
      sentinelUsername,
      sentinelPassword,
    };
  } catch {
    return undefined;
  }
}

function parseNode(text: string, isSentinel: boolean): RedisNode {
  const match = HOST_AND_PORT.exec(text);
  const port = Number(match?.[2] ?? (isSentinel ? 26_379 : 6_379));
  if (match === null || port < 1 || port > 65_535) throw new Error("no host and port");
  return { host: decodeURIComponent(match[1] as string).replace(/^\[|\]$/g, ""), port };
}

function parsePath(path: string, mode: string): Pick<RedisAddress, "masterName" | "database"> {
  const segments = path === "" ? [] : path.split("/").map(decodeURIComponent);
  const masterName = mode === "sentinel" ? (segments.shift() ?? "") : "";
  const [database = "0", ...rest] = segments;
  const isMissing = mode === "sentinel" && masterName === "";
  const isNumber = /^\d{1,5}$/.test(database) && Number(database) <= MAX_DATABASE;
  const isElsewhere = mode === "cluster" && Number(database) !== 0;
  if (isMissing || !isNumber || isElsewhere || rest.length > 0) throw new Error("no such path");
  return { masterName, database: Number(database) };
}

function parseQuery(
  query: string,
  mode: string,
): Pick<RedisAddress, "sentinelUsername" | "sentinelPassword"> {
  const found = new URLSearchParams(query);
  const known = mode === "sentinel" ? ["sentinel_username", "sentinel_password"] : [];
  for (const name of found.keys()) if (!known.includes(name)) throw new Error("unknown parameter");
  return {
    sentinelUsername: found.get("sentinel_username") ?? "",
    sentinelPassword: found.get("sentinel_password") ?? "",
  };
}

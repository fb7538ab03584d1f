/** What {@link serverArguments} depends on. */
export interface ServerSettings {
  /** "." for the data directory, else absolute. */
  readonly socketDirectory: string;
  /** False trades the data for speed: no fsync, no waiting for the disk at commit. */
  readonly durable: boolean;
}

/**
 * Settings that differ from PostgreSQL's defaults, or that Tally relies on. They go on the
 * command line, so that the file of an older Tally's cluster cannot contradict them.
 */
function settings({ socketDirectory, durable }: ServerSettings): Record<string, string> {
  return {
    // No TCP port; only who can enter the socket's directory can connect.
    listen_addresses: "",
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: "0700",
    port: String(SOCKET_PORT),
    cluster_name: "tally",

    // An acknowledged record survives a power cut.
    fsync: durable ? "on" : "off",
    synchronous_commit: durable ? "on" : "off",
    full_page_writes: durable ? "on" : "off",

    max_connections: "100",
    shared_buffers: "128MB",
    // Group commits write much WAL; pglz is in every build, lz4 is not in the npm package's.
    wal_compression: "on",
    max_wal_size: "2GB",
    checkpoint_timeout: "15min",
    // Flash storage: an index scan costs little more than a sequential one.
    random_page_cost: "1.1",
    // Queries are short; compiling them costs more than it gains.
    jit: "off",
    timezone: "UTC",

    // The log must not hold what a request held: no statements and no row values of failed
    // ones (DETAIL). Their errors go to the client, who logs them.
    log_error_verbosity: "terse",
    log_min_error_statement: "panic",
    log_timezone: "UTC",
    lc_messages: "C",
    logging_collector: "off",
  };
}

/** Names the socket, `.s.PGSQL.5432`; nothing listens on a port. */
export const SOCKET_PORT = 5432;

/** The file name of the server's socket. */
export const SOCKET_NAME = `.s.PGSQL.${SOCKET_PORT}`;

/** The command line of the server, without `-D`. */
export function serverArguments(options: ServerSettings): string[] {
  return Object.entries(settings(options)).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { ConnectionSettings } from "../../src/database/connection.js";
import { createTemporaryDirectory } from "./temporary-directory.js";

/** A way to a PostgreSQL that can be cut, as if the server had stopped. */
export interface PostgresProxy {
  /** For whoever shall lose the database. */
  readonly connection: ConnectionSettings;
  /** Ends every connection, and takes none until `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  stop(): Promise<void>;
}

/** Stands before the server, on a unix socket of its own. */
export async function startPostgresProxy(to: ConnectionSettings): Promise<PostgresProxy> {
  if (typeof to === "string") throw new Error("the tests' PostgreSQL has no URL");
  const folder = await createTemporaryDirectory();
  const fileOf = (host: string) => join(host, `.s.PGSQL.${to.port}`);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(fileOf(to.host));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.once("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const listen = () =>
    new Promise<void>((resolve) => {
      server.listen(fileOf(folder.path), resolve);
    });
  const cut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  await listen();
  return {
    connection: { ...to, host: folder.path },
    cut,
    restore: listen,
    async stop() {
      if (server.listening) await cut();
      await folder.remove();
    },
  };
}

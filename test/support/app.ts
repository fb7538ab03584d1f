import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { CatalogDocumentSchema } from "../../gen/tally/v1/catalog_pb.js";
import { createApp } from "../../src/app.js";
import { type Environment, loadConfig } from "../../src/config.js";
import type { ConnectionSettings } from "../../src/database/connection.js";
import { createTallyClients, type TallyClients } from "../../src/traffic/clients.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "./postgres.js";

/** A catalog document as one writes it for `apply`. */
export type DocumentInit = MessageInitShape<typeof CatalogDocumentSchema>;

/** Tally in this process, spoken to over a socket, with a database of its own. */
export interface TestApp {
  /** "127.0.0.1:PORT". */
  readonly address: string;
  /** The same of its HTTP port. */
  readonly httpAddress: string;
  readonly clients: TallyClients;
  /** The database that it runs on, for what the contract does not show. */
  readonly database: TestDatabase["database"];
  readonly connection: ConnectionSettings;
  /** Brings the catalog to what the document says. */
  apply(document: DocumentInit): Promise<void>;
  /** What `/metrics` shows. */
  metrics(): Promise<string>;
  /** Stops it as SIGTERM would; drops the database, unless another app runs on it. */
  stop(): Promise<void>;
}

/** What a test app can be told. */
export interface TestAppOptions {
  /** Settings by the names of their environment variables. */
  readonly env?: Environment;
  /** The app whose database this one shares, as a second replica; or a database. */
  readonly replicaOf?: Pick<TestApp, "database" | "connection">;
  /** The clock of records, milliseconds since 1970. */
  readonly nowMs?: () => number;
  /** Default: a silent one. */
  readonly logger?: Logger;
}

/** Starts the whole of Tally on a free port. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const own = options.replicaOf === undefined ? await createTestDatabase() : undefined;
  const { database, connection } = own ?? options.replicaOf!;
  const config = loadConfig({
    TALLY_GRPC_ADDRESS: "127.0.0.1:0",
    TALLY_HTTP_ADDRESS: "127.0.0.1:0",
    TALLY_SHUTDOWN_GRACE: "2s",
    DATABASE_URL: toDatabaseUrl(connection),
    ...options.env,
  });
  const { nowMs, logger = silentLogger } = options;
  const app = createApp(config, { logger, ...(nowMs && { nowMs }) });
  const { grpcAddress: address, httpAddress } = await app.start();
  const clients = createTallyClients(address, 1);
  return {
    address,
    httpAddress: httpAddress!,
    clients,
    database,
    connection,
    async apply(document) {
      await clients.catalog.applyCatalog({ document });
    },
    metrics: () => app.metrics(),
    async stop() {
      clients.close();
      await app.stop();
      await own?.drop();
    },
  };
}

/**
 * The value of DATABASE_URL. A URL has no place for the directory of a socket but its query, which
 * pg prefers to the host.
 */
export function toDatabaseUrl(connection: ConnectionSettings): string {
  if (typeof connection === "string") return connection;
  const { host, port, user, database } = connection;
  const url = new URL(`postgresql://${encodeURIComponent(user)}@localhost/${database}`);
  url.searchParams.set("host", host);
  url.searchParams.set("port", String(port));
  return url.toString();
}

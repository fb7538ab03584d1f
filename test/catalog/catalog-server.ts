import { v7 as uuidV7 } from "uuid";
import { Catalog } from "../../gen/tally/v1/catalog_pb.js";
import { trustEveryCaller } from "../../src/caller.js";
import { createCatalogApplier } from "../../src/catalog/apply.js";
import { createAuditLog } from "../../src/catalog/audit-log.js";
import { createCatalogChanges } from "../../src/catalog/changes.js";
import { type CatalogDirectory, createCatalogDirectory } from "../../src/catalog/directory.js";
import { createCatalogEditor } from "../../src/catalog/editor.js";
import { createCatalogFollower } from "../../src/catalog/follower.js";
import { createPriceImporter } from "../../src/catalog/price-import.js";
import { createPriceVersions } from "../../src/catalog/price-versions.js";
import { createCatalogService } from "../../src/catalog/service.js";
import { createSettingsEditor } from "../../src/catalog/settings-editor.js";
import { createGrpcClient, type GrpcClient } from "../../src/client/grpc-client.js";
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.js";
import { createGrpcServer } from "../../src/server/grpc.js";
import { createHealth } from "../../src/server/health.js";
import { validateMessage } from "../../src/server/validate.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";

/** The Catalog service on a port of its own, with a database of its own. */
export interface CatalogServer {
  readonly address: string;
  readonly client: GrpcClient<typeof Catalog>;
  readonly test: TestDatabase;
  readonly directory: CatalogDirectory;
  readonly priceBook: PriceBook;
  stop(): Promise<void>;
}

export async function startCatalogServer(): Promise<CatalogServer> {
  const test = await createTestDatabase();
  const { database, connection } = test;
  const logger = silentLogger;
  const directory = createCatalogDirectory();
  const priceBook = createPriceBook();
  const priceVersions = createPriceVersions({ database, logger });
  const follower = createCatalogFollower({
    database,
    connection,
    directory,
    priceBook,
    priceVersions,
    logger,
  });
  await follower.start();
  const changes = createCatalogChanges({ database, refresh: follower.refresh });
  const service = createCatalogService({
    applier: createCatalogApplier({ database, changes, logger }),
    importer: createPriceImporter({ database, changes, logger }),
    editor: createCatalogEditor({ database, changes }),
    settings: createSettingsEditor({ database, changes }),
    auditLog: createAuditLog(database),
    changes,
    rules: validateMessage,
    makeId: () => uuidV7(),
  });
  const server = createGrpcServer({
    authenticator: trustEveryCaller,
    address: "127.0.0.1:0",
    services: [service],
    health: createHealth([Catalog]),
    logger,
  });
  const { address } = await server.start();
  const client = createGrpcClient(Catalog, address);
  return {
    address,
    client,
    test,
    directory,
    priceBook,
    async stop() {
      client.close();
      await server.stop({ graceMs: 1_000 });
      await follower.stop();
      await test.drop();
    },
  };
}

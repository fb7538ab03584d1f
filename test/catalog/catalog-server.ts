import { Catalog } from "../../gen/tally/v1/catalog_pb.js";
import { trustEveryCaller } from "../../src/caller.js";
import { createCatalogApplier } from "../../src/catalog/apply.js";
import { type CatalogDirectory, createCatalogDirectory } from "../../src/catalog/directory.js";
import { createCatalogFollower } from "../../src/catalog/follower.js";
import { createPriceImporter } from "../../src/catalog/price-import.js";
import { createPriceVersions } from "../../src/catalog/price-versions.js";
import { createCatalogService } from "../../src/catalog/service.js";
import { createGrpcClient, type GrpcClient } from "../../src/client/grpc-client.js";
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.js";
import { createGrpcServer } from "../../src/server/grpc.js";
import { createHealth } from "../../src/server/health.js";
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
  const { refresh } = follower;
  const applier = createCatalogApplier({ database, refresh, logger });
  const importer = createPriceImporter({ database, refresh, logger });
  const server = createGrpcServer({
    authenticator: trustEveryCaller,
    address: "127.0.0.1:0",
    services: [createCatalogService({ applier, importer })],
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

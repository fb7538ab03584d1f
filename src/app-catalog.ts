import { v7 as uuidV7 } from "uuid";
import type { OpenCache } from "./app-analytics.js";
import type { AppContext, Stop } from "./app-context.js";
import { createCatalogApplier } from "./catalog/apply.js";
import { createAuditLog } from "./catalog/audit-log.js";
import { createCatalogChanges } from "./catalog/changes.js";
import { createCatalogDirectory } from "./catalog/directory.js";
import { createCatalogEditor } from "./catalog/editor.js";
import { createCatalogFollower } from "./catalog/follower.js";
import { createPriceImporter } from "./catalog/price-import.js";
import { createPriceVersions } from "./catalog/price-versions.js";
import { createProvisioner } from "./catalog/provisioner.js";
import { createCatalogService } from "./catalog/service.js";
import { createSettingsEditor } from "./catalog/settings-editor.js";
import { createPriceBook } from "./pricing/price-book.js";
import { validateMessage } from "./server/validate.js";

/** The catalog as other parts use it. */
export type Catalog = Awaited<ReturnType<typeof startCatalog>>;

/** The catalog in memory, which follows the database, and what changes it. */
export async function startCatalog(
  { storage, logger }: AppContext,
  { activity }: Pick<OpenCache, "activity">,
  stops: Stop[],
) {
  const { database, connection } = storage;
  const directory = createCatalogDirectory();
  const priceBook = createPriceBook();
  const priceVersions = createPriceVersions({ database, logger });
  const follower = createCatalogFollower({
    database,
    connection,
    directory,
    priceBook,
    priceVersions,
    onRoleChange: activity.forgetUsers,
    logger,
  });
  stops.push(() => follower.stop());
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
  const provisioner = createProvisioner({
    changes,
    directory,
    logger,
    nowMs: () => Date.now(),
    uptimeMs: () => performance.now(),
  });
  return { directory, priceBook, priceVersions, provisioner, service };
}

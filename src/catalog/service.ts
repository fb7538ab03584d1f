import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ApplyCatalogResponseSchema,
  Catalog,
  CatalogChangeKind,
  type ImportPricesResponseSchema,
} from "../../gen/tally/v1/catalog_pb.js";
import { invalidField } from "../errors.js";
import type { SkippedImport } from "../pricing/genai-prices.js";
import { implement, type ServiceImplementation } from "../server/handler.js";
import type { CatalogApplier } from "./apply.js";
import type { EntryChange } from "./diff.js";
import { fromProtoDocument } from "./document-from-proto.js";
import type { PriceImporter } from "./price-import.js";

/** What the service is made of. */
export interface CatalogServiceParts {
  readonly applier: CatalogApplier;
  readonly importer: PriceImporter;
}

/** Makes the Catalog service. */
export function createCatalogService({
  applier,
  importer,
}: CatalogServiceParts): ServiceImplementation<typeof Catalog> {
  return implement(Catalog, {
    async applyCatalog({
      document,
      dryRun,
    }): Promise<MessageInitShape<typeof ApplyCatalogResponseSchema>> {
      if (!document) throw invalidField("document", undefined, "is required");
      const diff = await applier.apply(fromProtoDocument(document), { dryRun });
      return {
        changes: diff.changes.map(toProtoChange),
        unchangedCount: diff.unchangedCount,
        dryRun,
      };
    },
    async importPrices({
      providers,
      dryRun,
    }): Promise<MessageInitShape<typeof ImportPricesResponseSchema>> {
      const { skipped, ...result } = await importer.importPrices({
        providerIds: providers,
        dryRun,
      });
      return { ...result, skipped: skipped.map(toProtoSkipped) };
    },
  });
}

function toProtoChange({ kind, collection, id, fields }: EntryChange) {
  return { kind: CatalogChangeKind[kind], collection, id, fields: [...fields] };
}

function toProtoSkipped({ providerId, modelId, reason, detail }: SkippedImport) {
  return { provider: providerId, model: modelId, reason: `${reason}: ${detail}` };
}

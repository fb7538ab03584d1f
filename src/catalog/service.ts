import { Catalog } from "../../gen/tally/v1/catalog_pb.js";
import { invalidField, invalidFields } from "../errors.js";
import type { CallContext } from "../server/context.js";
import { implement, type ServiceHandlers, type ServiceImplementation } from "../server/handler.js";
import type { CatalogApplier } from "./apply.js";
import type { ChangeOrigin } from "./audit.js";
import type { AuditLog } from "./audit-log.js";
import type { CatalogChanges } from "./changes.js";
import {
  toProtoAuditEntry,
  toProtoChange,
  toProtoReset,
  toProtoSkipped,
  toProtoTopUp,
} from "./changes-to-proto.js";
import { fromProtoDocument, fromProtoTime } from "./document-from-proto.js";
import type { CatalogEditor } from "./editor.js";
import { EntryCalls, priceKeyIn } from "./entry-calls-from-proto.js";
import * as filters from "./filters-from-proto.js";
import * as kinds from "./kinds-from-proto.js";
import type { PriceImporter } from "./price-import.js";
import { resetBudget } from "./reset.js";
import type { SettingsEditor } from "./settings-editor.js";
import {
  settingsMaskViolations,
  settingsRevisionOf,
  toProtoEditedSettings,
} from "./settings-to-proto.js";
import { topUp } from "./top-up.js";

/** What the service is made of. */
export interface CatalogServiceParts {
  readonly applier: CatalogApplier;
  readonly importer: PriceImporter;
  readonly editor: CatalogEditor;
  readonly settings: SettingsEditor;
  readonly auditLog: AuditLog;
  readonly changes: CatalogChanges;
  /** The contract's rules, for messages that are judged only once they are complete. */
  readonly rules: kinds.ContractRules;
  /** Makes ids of what comes without one. */
  readonly makeId: () => string;
}

type Handlers = ServiceHandlers<typeof Catalog>;

/** Makes the Catalog service. */
export function createCatalogService(
  parts: CatalogServiceParts,
): ServiceImplementation<typeof Catalog> {
  return implement(Catalog, {
    ...bulkHandlers(parts),
    ...settingsHandlers(parts),
    ...budgetHandlers(parts),
    ...entryHandlers(new EntryCalls(parts)),
  });
}

/** Who calls, for the audit log. */
function originOf(context: CallContext): ChangeOrigin {
  return {
    actor: context.identity.name,
    method: context.method.slice(context.method.lastIndexOf("/") + 1),
    requestId: context.requestId,
    throwIfOver: () => context.throwIfOver(),
  };
}

function bulkHandlers({ applier, importer }: CatalogServiceParts): Handlers {
  return {
    async applyCatalog({ document, dryRun }, context) {
      if (!document) throw invalidField("document", undefined, "is required");
      const options = { origin: originOf(context), dryRun };
      const diff = await applier.apply(fromProtoDocument(document), options);
      const { unchangedCount } = diff;
      return { changes: diff.changes.map(toProtoChange), unchangedCount, dryRun };
    },
    async importPrices({ providers, dryRun }, context) {
      const origin = originOf(context);
      const result = await importer.importPrices({ origin, providerIds: providers, dryRun });
      return { ...result, skipped: result.skipped.map(toProtoSkipped) };
    },
  };
}

function settingsHandlers({ settings, auditLog }: CatalogServiceParts): Handlers {
  return {
    getSettings: async () => toProtoEditedSettings(await settings.get()),
    async updateSettings({ settings: given, updateMask, etag }, context) {
      if (!given) throw invalidField("settings", undefined, "is required");
      const violations = settingsMaskViolations(updateMask);
      if (violations.length > 0) throw invalidFields(violations);
      const revise = settingsRevisionOf(given, updateMask);
      return toProtoEditedSettings(await settings.update(revise, etag, originOf(context)));
    },
    async listAuditLog(request) {
      const { resourceType, resourceId, actor } = request;
      const startTimeMs = fromProtoTime(request.startTime);
      const endTimeMs = fromProtoTime(request.endTime);
      const filter = { resourceType, resourceId, actor, startTimeMs, endTimeMs };
      const { items, nextPageToken } = await auditLog.list(filter, request);
      return { entries: items.map(toProtoAuditEntry), nextPageToken };
    },
  };
}

function budgetHandlers(parts: CatalogServiceParts): Handlers {
  return {
    topUpApiKey: async (request, context) =>
      toProtoTopUp(await topUp(parts, request, originOf(context))),
    async resetBudget({ budgetId, requestId }, context) {
      const request = { budgetId, requestId: requestId || parts.makeId() };
      return toProtoReset(await resetBudget(parts.changes, request, originOf(context)));
    },
  };
}

function entryHandlers(entries: EntryCalls): Handlers {
  return {
    createUser: async ({ user }, context) => ({
      user: await entries.create(kinds.users, user, originOf(context)),
    }),
    getUser: async (request) => ({ user: await entries.get(kinds.users, [request.userId]) }),
    listUsers: async (request) => {
      const page = await entries.list(kinds.users, filters.userFilters(request), request);
      return { users: page.items, nextPageToken: page.nextPageToken };
    },
    updateUser: async ({ user: given, updateMask: mask }, context) => ({
      user: await entries.update(kinds.users, { given, mask }, originOf(context)),
    }),
    deleteUser: async (request, context) => {
      await entries.remove(
        kinds.users,
        { key: [request.userId], etag: request.etag, force: request.force },
        originOf(context),
      );
      return {};
    },

    createApiKey: async ({ apiKey }, context) => ({
      apiKey: await entries.create(kinds.apiKeys, apiKey, originOf(context)),
    }),
    getApiKey: async (request) => ({
      apiKey: await entries.get(kinds.apiKeys, [request.apiKeyId]),
    }),
    listApiKeys: async (request) => {
      const page = await entries.list(kinds.apiKeys, filters.apiKeyFilters(request), request);
      return { apiKeys: page.items, nextPageToken: page.nextPageToken };
    },
    updateApiKey: async ({ apiKey: given, updateMask: mask }, context) => ({
      apiKey: await entries.update(kinds.apiKeys, { given, mask }, originOf(context)),
    }),
    deleteApiKey: async (request, context) => {
      await entries.remove(
        kinds.apiKeys,
        { key: [request.apiKeyId], etag: request.etag, force: request.force },
        originOf(context),
      );
      return {};
    },

    createProvider: async ({ provider }, context) => ({
      provider: await entries.create(kinds.providers, provider, originOf(context)),
    }),
    getProvider: async (request) => ({
      provider: await entries.get(kinds.providers, [request.provider]),
    }),
    listProviders: async (request) => {
      const page = await entries.list(kinds.providers, filters.providerFilters(request), request);
      return { providers: page.items, nextPageToken: page.nextPageToken };
    },
    updateProvider: async ({ provider: given, updateMask: mask }, context) => ({
      provider: await entries.update(kinds.providers, { given, mask }, originOf(context)),
    }),
    deleteProvider: async (request, context) => {
      await entries.remove(
        kinds.providers,
        { key: [request.provider], etag: request.etag, force: request.force },
        originOf(context),
      );
      return {};
    },

    createProviderEndpoint: async ({ providerEndpoint }, context) => ({
      providerEndpoint: await entries.create(
        kinds.providerEndpoints,
        providerEndpoint,
        originOf(context),
      ),
    }),
    getProviderEndpoint: async (request) => ({
      providerEndpoint: await entries.get(kinds.providerEndpoints, [request.providerEndpointId]),
    }),
    listProviderEndpoints: async (request) => {
      const page = await entries.list(
        kinds.providerEndpoints,
        filters.providerEndpointFilters(request),
        request,
      );
      return { providerEndpoints: page.items, nextPageToken: page.nextPageToken };
    },
    updateProviderEndpoint: async ({ providerEndpoint: given, updateMask: mask }, context) => ({
      providerEndpoint: await entries.update(
        kinds.providerEndpoints,
        { given, mask },
        originOf(context),
      ),
    }),
    deleteProviderEndpoint: async (request, context) => {
      await entries.remove(
        kinds.providerEndpoints,
        { key: [request.providerEndpointId], etag: request.etag, force: request.force },
        originOf(context),
      );
      return {};
    },

    createProviderKey: async ({ providerKey }, context) => ({
      providerKey: await entries.create(kinds.providerKeys, providerKey, originOf(context)),
    }),
    getProviderKey: async (request) => ({
      providerKey: await entries.get(kinds.providerKeys, [request.providerKeyId]),
    }),
    listProviderKeys: async (request) => {
      const page = await entries.list(
        kinds.providerKeys,
        filters.providerKeyFilters(request),
        request,
      );
      return { providerKeys: page.items, nextPageToken: page.nextPageToken };
    },
    updateProviderKey: async ({ providerKey: given, updateMask: mask }, context) => ({
      providerKey: await entries.update(kinds.providerKeys, { given, mask }, originOf(context)),
    }),
    deleteProviderKey: async (request, context) => {
      await entries.remove(
        kinds.providerKeys,
        { key: [request.providerKeyId], etag: request.etag },
        originOf(context),
      );
      return {};
    },

    createModel: async ({ model }, context) => ({
      model: await entries.create(kinds.models, model, originOf(context)),
    }),
    getModel: async (request) => ({ model: await entries.get(kinds.models, [request.model]) }),
    listModels: async (request) => {
      const page = await entries.list(kinds.models, filters.modelFilters(request), request);
      return { models: page.items, nextPageToken: page.nextPageToken };
    },
    updateModel: async ({ model: given, updateMask: mask }, context) => ({
      model: await entries.update(kinds.models, { given, mask }, originOf(context)),
    }),
    deleteModel: async (request, context) => {
      await entries.remove(
        kinds.models,
        { key: [request.model], etag: request.etag, force: request.force },
        originOf(context),
      );
      return {};
    },

    createModelPrice: async ({ modelPrice }, context) => ({
      modelPrice: await entries.create(kinds.modelPrices, modelPrice, originOf(context)),
    }),
    getModelPrice: async (request) => ({
      modelPrice: await entries.get(kinds.modelPrices, priceKeyIn(request)),
    }),
    listModelPrices: async (request) => {
      const page = await entries.list(
        kinds.modelPrices,
        filters.modelPriceFilters(request),
        request,
      );
      return { modelPrices: page.items, nextPageToken: page.nextPageToken };
    },
    updateModelPrice: async ({ modelPrice: given, updateMask: mask }, context) => ({
      modelPrice: await entries.update(kinds.modelPrices, { given, mask }, originOf(context)),
    }),
    deleteModelPrice: async (request, context) => {
      await entries.remove(
        kinds.modelPrices,
        { key: priceKeyIn(request), etag: request.etag },
        originOf(context),
      );
      return {};
    },

    createBudget: async ({ budget }, context) => ({
      budget: await entries.create(kinds.budgets, budget, originOf(context)),
    }),
    getBudget: async (request) => ({
      budget: await entries.get(kinds.budgets, [request.budgetId]),
    }),
    listBudgets: async (request) => {
      const page = await entries.list(kinds.budgets, filters.budgetFilters(request), request);
      return { budgets: page.items, nextPageToken: page.nextPageToken };
    },
    updateBudget: async ({ budget: given, updateMask: mask }, context) => ({
      budget: await entries.update(kinds.budgets, { given, mask }, originOf(context)),
    }),
    deleteBudget: async (request, context) => {
      await entries.remove(
        kinds.budgets,
        { key: [request.budgetId], etag: request.etag },
        originOf(context),
      );
      return {};
    },
  };
}

import type * as proto from "../../gen/tally/v1/catalog_pb.js";
import type { EntryFilter } from "./entry-store.js";
import * as enums from "./proto-enums.js";

/** What the lists of the contract are filtered by, as conditions on columns. */

export function userFilters({ active, role }: proto.ListUsersRequest): EntryFilter[] {
  return given(["active", active], ["role", role === 0 ? "" : enums.USER_ROLES[role]]);
}

export function apiKeyFilters({ userId, kind, active }: proto.ListApiKeysRequest): EntryFilter[] {
  return given(
    ["user_id", userId],
    ["kind", kind === 0 ? "" : enums.API_KEY_KINDS[kind]],
    ["active", active],
  );
}

export function providerFilters({ active }: proto.ListProvidersRequest): EntryFilter[] {
  return given(["active", active]);
}

export function providerEndpointFilters({
  provider,
  active,
}: proto.ListProviderEndpointsRequest): EntryFilter[] {
  return given(["provider", provider], ["active", active]);
}

export function providerKeyFilters({
  provider,
  providerEndpointId,
  active,
}: proto.ListProviderKeysRequest): EntryFilter[] {
  return given(
    ["provider", provider],
    ["provider_endpoint_id", providerEndpointId],
    ["active", active],
  );
}

export function modelFilters({ active }: proto.ListModelsRequest): EntryFilter[] {
  return given(["active", active]);
}

export function modelPriceFilters({
  model,
  provider,
  source,
}: proto.ListModelPricesRequest): EntryFilter[] {
  const filters = given(["model", model], ["source", source]);
  // "" asks for the global prices.
  return provider === undefined ? filters : [...filters, ["provider", provider]];
}

export function budgetFilters({ scope, subject, active }: proto.ListBudgetsRequest): EntryFilter[] {
  return given(
    ["scope", scope === 0 ? "" : enums.BUDGET_SCOPES[scope]],
    ["subject", subject],
    ["active", active],
  );
}

function given(...filters: [string, string | boolean | undefined][]): EntryFilter[] {
  return filters.flatMap(([column, value]): EntryFilter[] =>
    value === undefined || value === "" ? [] : [[column, value]],
  );
}

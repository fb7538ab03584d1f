import { clone, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import * as proto from "../../gen/tally/v1/catalog_pb.js";
import type { FieldViolation } from "../errors.js";
import type { DocumentCollection, DocumentEntry } from "./document.js";
import * as read from "./document-from-proto.js";
import type { EditedEntry, EntryDraft, EntryKind } from "./editor.js";
import * as show from "./entries-to-proto.js";
import { toPriceKey } from "./entry-table.js";
import { applyMask } from "./mask-from-proto.js";
import { formatPriceId } from "./price-id.js";

/** How a kind of entry is told and shown. */
export interface ProtoKind<C extends DocumentCollection, Desc extends DescMessage>
  extends EntryKind<C> {
  readonly schema: Desc;
  readonly fromProto: (message: MessageShape<Desc>) => DocumentEntry<C>;
  readonly toProto: (edited: EditedEntry<C>) => MessageShape<Desc>;
  /** Fields that identify it. */
  readonly ids: readonly string[];
  /** Whether the server makes an id where none is given. */
  readonly makesId: boolean;
}

/** Every rule of the contract that a message breaks; `prefix` is where it stands in the request. */
export type ContractRules = <Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  prefix: string,
) => FieldViolation[];

const nameOf = (key: readonly string[]) => key[0] ?? "";

/** Users. */
export const users: ProtoKind<"users", typeof proto.UserSchema> = {
  collection: "users",
  field: "user",
  schema: proto.UserSchema,
  fromProto: read.fromProtoUser,
  toProto: show.toProtoUser,
  ids: ["user_id"],
  makesId: true,
  keyOf: ({ userId }) => [userId],
  nameOf,
};

/** API keys. */
export const apiKeys: ProtoKind<"apiKeys", typeof proto.ApiKeySchema> = {
  collection: "apiKeys",
  field: "api_key",
  schema: proto.ApiKeySchema,
  fromProto: read.fromProtoApiKey,
  toProto: show.toProtoApiKey,
  ids: ["api_key_id"],
  makesId: true,
  keyOf: ({ apiKeyId }) => [apiKeyId],
  nameOf,
};

/** Providers. */
export const providers: ProtoKind<"providers", typeof proto.ProviderSchema> = {
  collection: "providers",
  field: "provider",
  schema: proto.ProviderSchema,
  fromProto: read.fromProtoProvider,
  toProto: show.toProtoProvider,
  ids: ["provider"],
  makesId: false,
  keyOf: ({ provider }) => [provider],
  nameOf,
};

/** Provider endpoints. */
export const providerEndpoints: ProtoKind<
  "providerEndpoints",
  typeof proto.ProviderEndpointSchema
> = {
  collection: "providerEndpoints",
  field: "provider_endpoint",
  schema: proto.ProviderEndpointSchema,
  fromProto: read.fromProtoProviderEndpoint,
  toProto: show.toProtoProviderEndpoint,
  ids: ["provider_endpoint_id"],
  makesId: true,
  keyOf: ({ providerEndpointId }) => [providerEndpointId],
  nameOf,
};

/** Provider keys. */
export const providerKeys: ProtoKind<"providerKeys", typeof proto.ProviderKeySchema> = {
  collection: "providerKeys",
  field: "provider_key",
  schema: proto.ProviderKeySchema,
  fromProto: read.fromProtoProviderKey,
  toProto: show.toProtoProviderKey,
  ids: ["provider_key_id"],
  makesId: true,
  keyOf: ({ providerKeyId }) => [providerKeyId],
  nameOf,
};

/** Models. */
export const models: ProtoKind<"models", typeof proto.ModelSchema> = {
  collection: "models",
  field: "model",
  schema: proto.ModelSchema,
  fromProto: read.fromProtoModel,
  toProto: show.toProtoModel,
  ids: ["model"],
  makesId: false,
  keyOf: ({ model }) => [model],
  nameOf,
};

/** Prices of models. */
export const modelPrices: ProtoKind<"prices", typeof proto.ModelPriceSchema> = {
  collection: "prices",
  field: "model_price",
  schema: proto.ModelPriceSchema,
  fromProto: read.fromProtoModelPrice,
  toProto: show.toProtoModelPrice,
  ids: ["model", "provider", "effective_time"],
  makesId: false,
  keyOf: toPriceKey,
  nameOf: ([model = "", provider = "", time = ""]) => {
    const effectiveTimeMs = time.startsWith("0001-01-01T00:00:00.000") ? null : Date.parse(time);
    return formatPriceId({ model, provider, effectiveTimeMs });
  },
};

/** Budgets. */
export const budgets: ProtoKind<"budgets", typeof proto.BudgetSchema> = {
  collection: "budgets",
  field: "budget",
  schema: proto.BudgetSchema,
  fromProto: read.fromProtoBudget,
  toProto: show.toProtoBudget,
  ids: ["budget_id"],
  makesId: true,
  keyOf: ({ budgetId }) => [budgetId],
  nameOf,
};

/** What a message makes of an entry. */
export function draftOf<C extends DocumentCollection, Desc extends DescMessage>(
  kind: ProtoKind<C, Desc>,
  message: MessageShape<Desc>,
  rules: ContractRules,
): EntryDraft<C> {
  return {
    entry: kind.fromProto(message),
    violations: rules(kind.schema, message, kind.field),
  };
}

/** Makes what an entry becomes of what it is: the fields that the mask names, as they are given. */
export function revisionOf<C extends DocumentCollection, Desc extends DescMessage>(
  kind: ProtoKind<C, Desc>,
  { given, mask }: { readonly given: MessageShape<Desc>; readonly mask: FieldMask | undefined },
  rules: ContractRules,
): (current: EditedEntry<C>) => EntryDraft<C> {
  const fixed = [...kind.ids, ...OUTPUT_ONLY];
  return (edited) => {
    const current = kind.toProto(edited);
    return draftOf(kind, applyMask(kind.schema, { current, given }, { mask, fixed }), rules);
  };
}

const OUTPUT_ONLY = ["create_time", "update_time", "etag", "source", "version"];

/** The message with an id, if it has none and the server may make one. */
export function withId<C extends DocumentCollection, Desc extends DescMessage>(
  { schema, ids, makesId }: ProtoKind<C, Desc>,
  message: MessageShape<Desc>,
  makeId: () => string,
): MessageShape<Desc> {
  const [id] = schema.fields.filter(({ name }) => name === ids[0]);
  const isGiven = id === undefined || (message as Record<string, unknown>)[id.localName] !== "";
  if (!makesId || isGiven) return message;
  return Object.assign(clone(schema, message), { [id.localName]: makeId() });
}

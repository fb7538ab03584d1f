import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { ModelPrice } from "../../gen/tally/v1/catalog_pb.js";
import { type FieldViolation, invalidField, invalidFields } from "../errors.js";
import type { ChangeOrigin } from "./audit.js";
import type { DocumentCollection } from "./document.js";
import { fromProtoPriceKey } from "./document-from-proto.js";
import type { CatalogEditor } from "./editor.js";
import type { EntryFilter } from "./entry-store.js";
import { toPriceKey } from "./entry-table.js";
import {
  type ContractRules,
  draftOf,
  type ProtoKind,
  revisionOf,
  withId,
} from "./kinds-from-proto.js";
import { maskViolations } from "./mask-from-proto.js";
import type { PageRequest } from "./page-token.js";
import { timeViolations } from "./time-validation.js";

/** What entry calls are made of. */
export interface EntryCallsParts {
  readonly editor: CatalogEditor;
  readonly rules: ContractRules;
  /** Makes ids of entries that come without one. */
  readonly makeId: () => string;
}

/** A message and the fields of it that matter. */
export interface MaskedMessage<Desc extends DescMessage> {
  readonly given: MessageShape<Desc> | undefined;
  readonly mask: FieldMask | undefined;
}

/** The editor as the contract speaks to it: messages in, messages out. */
export class EntryCalls {
  constructor(private readonly parts: EntryCallsParts) {}

  /** @throws as `CatalogEditor` does; INVALID_FIELD also for what the contract forbids */
  async create<C extends DocumentCollection, Desc extends DescMessage>(
    kind: ProtoKind<C, Desc>,
    message: MessageShape<Desc> | undefined,
    origin: ChangeOrigin,
  ): Promise<MessageShape<Desc>> {
    const { editor, rules, makeId } = this.parts;
    const given = withId(kind, required(kind, message), makeId);
    return kind.toProto(await editor.create(kind, draftOf(kind, given, rules), origin));
  }

  /** @throws as `CatalogEditor` does */
  async get<C extends DocumentCollection, Desc extends DescMessage>(
    kind: ProtoKind<C, Desc>,
    key: readonly string[],
  ): Promise<MessageShape<Desc>> {
    return kind.toProto(await this.parts.editor.get(kind, key));
  }

  /** @throws as `CatalogEditor` does */
  async list<C extends DocumentCollection, Desc extends DescMessage>(
    kind: ProtoKind<C, Desc>,
    filters: readonly EntryFilter[],
    page: PageRequest,
  ): Promise<{ items: MessageShape<Desc>[]; nextPageToken: string }> {
    const { items, nextPageToken } = await this.parts.editor.list(kind, filters, page);
    return { items: items.map(kind.toProto), nextPageToken };
  }

  /** @throws as `CatalogEditor` does; INVALID_FIELD also for what the contract forbids */
  async update<C extends DocumentCollection, Desc extends DescMessage>(
    kind: ProtoKind<C, Desc>,
    { given, mask }: MaskedMessage<Desc>,
    origin: ChangeOrigin,
  ): Promise<MessageShape<Desc>> {
    const { editor, rules } = this.parts;
    const message = required(kind, given);
    const violations = [
      ...keyViolations(kind, message, rules),
      ...maskViolations(kind.schema, mask),
    ];
    if (violations.length > 0) throw invalidFields(violations);
    const update = {
      key: kind.keyOf(kind.fromProto(message)),
      etag: etagIn(message),
      revise: revisionOf(kind, { given: message, mask }, rules),
    };
    return kind.toProto(await editor.update(kind, update, origin));
  }

  /** @throws as `CatalogEditor` does */
  async remove<C extends DocumentCollection, Desc extends DescMessage>(
    kind: ProtoKind<C, Desc>,
    removal: {
      readonly key: readonly string[];
      readonly etag: string;
      readonly force?: boolean;
    },
    origin: ChangeOrigin,
  ): Promise<void> {
    await this.parts.editor.remove(kind, { force: false, ...removal }, origin);
  }
}

/**
 * The key of a price that a request names.
 *
 * @throws DomainError INVALID_FIELD for a time that is none
 */
export function priceKeyIn(
  request: Pick<ModelPrice, "model" | "provider" | "effectiveTime">,
): readonly string[] {
  const key = fromProtoPriceKey(request);
  const violations = timeViolations("effective_time", key.effectiveTimeMs);
  if (violations.length > 0) throw invalidFields(violations);
  return toPriceKey(key);
}

function required<T>({ field }: { readonly field: string }, message: T | undefined): T {
  if (message === undefined) throw invalidField(field, undefined, "is required");
  return message;
}

/** What is wrong with the fields that say which entry is meant; all others depend on the mask. */
function keyViolations<C extends DocumentCollection, Desc extends DescMessage>(
  { schema, field, ids }: ProtoKind<C, Desc>,
  message: MessageShape<Desc>,
  rules: ContractRules,
): FieldViolation[] {
  const keyFields = new Set([...ids, "etag"].map((name) => `${field}.${name}`));
  const { effectiveTime } = message as Partial<ModelPrice>;
  const { effectiveTimeMs } = fromProtoPriceKey({ model: "", provider: "", effectiveTime });
  return [
    ...rules(schema, message, field).filter((violation) => keyFields.has(violation.field)),
    ...timeViolations(`${field}.effective_time`, effectiveTimeMs),
  ];
}

function etagIn(message: object): string {
  return "etag" in message ? String(message.etag) : "";
}

import type { TestApp } from "../support/app.js";

/** An entry as the contract shows it. */
export type Shown = Readonly<Record<string, unknown>> & { readonly etag: string };

/** The five calls of one kind of entry, by what they have in common. */
export interface KindCalls {
  readonly name: string;
  /** Kind of entry in errors and the audit log. */
  readonly type: string;
  /** Its collection in a document. */
  readonly collection: string;
  /** Local name of the field that identifies it, where there is one. */
  readonly id: string;
  /** Whether the server makes an id. */
  readonly makesId: boolean;
  /** What an entry of this name needs, without what identifies it. */
  readonly needs: Readonly<Record<string, unknown>>;
  /** A field that may change, its name in masks, and another value of it. */
  readonly change: { readonly field: string; readonly path: string; readonly value: unknown };
  create(entry: object, options?: object): Promise<Shown>;
  get(key: object): Promise<Shown>;
  list(request: object): Promise<{ readonly items: readonly Shown[]; readonly token: string }>;
  update(entry: object, paths?: readonly string[]): Promise<Shown>;
  remove(request: object): Promise<unknown>;
}

type AnyCall = (request: object, options?: object) => Promise<Record<string, unknown>>;

interface KindFacts extends Pick<KindCalls, "type" | "collection" | "id" | "needs" | "change"> {
  readonly name: string;
  readonly makesId?: boolean;
}

const PRICE = { tiers: [{ inputNanoUsdPerMillion: 1n, outputNanoUsdPerMillion: 2n }] };

const FACTS: readonly KindFacts[] = [
  {
    name: "User",
    type: "user",
    collection: "users",
    id: "userId",
    makesId: true,
    needs: { email: "a@example.com" },
    change: { field: "username", path: "username", value: "Alice" },
  },
  {
    name: "ApiKey",
    type: "api_key",
    collection: "apiKeys",
    id: "apiKeyId",
    makesId: true,
    needs: { userId: "owner" },
    change: { field: "name", path: "name", value: "laptop" },
  },
  {
    name: "Provider",
    type: "provider",
    collection: "providers",
    id: "provider",
    needs: {},
    change: { field: "displayName", path: "display_name", value: "P" },
  },
  {
    name: "ProviderEndpoint",
    type: "provider_endpoint",
    collection: "providerEndpoints",
    id: "providerEndpointId",
    makesId: true,
    needs: { provider: "base" },
    change: { field: "apiFormat", path: "api_format", value: "CLAUDE" },
  },
  {
    name: "ProviderKey",
    type: "provider_key",
    collection: "providerKeys",
    id: "providerKeyId",
    makesId: true,
    needs: { provider: "base" },
    change: { field: "rateMultiplier", path: "rate_multiplier", value: "0.5" },
  },
  {
    name: "Model",
    type: "model",
    collection: "models",
    id: "model",
    needs: {},
    change: { field: "displayName", path: "display_name", value: "M" },
  },
  {
    name: "ModelPrice",
    type: "model_price",
    collection: "prices",
    id: "model",
    needs: { provider: "base", price: PRICE },
    change: { field: "price", path: "price", value: { ...PRICE, requestNanoUsd: 5n } },
  },
  {
    name: "Budget",
    type: "budget",
    collection: "budgets",
    id: "budgetId",
    makesId: true,
    needs: { scope: 1, subject: "owner" },
    change: { field: "limit", path: "limit", value: 7n },
  },
];

/** The calls of every kind, to one server. */
export function kindCalls({ clients }: TestApp): KindCalls[] {
  const calls = clients.catalog as unknown as Readonly<Record<string, AnyCall>>;
  return FACTS.map((facts) => {
    const field = facts.name[0]!.toLowerCase() + facts.name.slice(1);
    const shown = async (answer: Promise<Record<string, unknown>>) =>
      (await answer)[field] as Shown;
    return {
      makesId: false,
      ...facts,
      create: (entry, options) => shown(calls[`create${facts.name}`]!({ [field]: entry }, options)),
      get: (key) => shown(calls[`get${facts.name}`]!(key)),
      async list(request) {
        const answer = await calls[`list${facts.name}s`]!(request);
        const items = answer[`${field}s`] as Shown[];
        return { items, token: String(answer.nextPageToken) };
      },
      update: (entry, paths) =>
        shown(
          calls[`update${facts.name}`]!({
            [field]: entry,
            ...(paths && { updateMask: { paths } }),
          }),
        ),
      remove: (request) => calls[`delete${facts.name}`]!(request),
    };
  });
}

/** Names of the kinds, in the contract's order. */
export const KIND_NAMES: readonly string[] = FACTS.map(({ name }) => name);

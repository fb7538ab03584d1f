import { create } from "@bufbuild/protobuf";
import { PriceSchema, type Price as ProtoPrice } from "../../gen/tally/v1/usage_pb.js";
import type { Price } from "./price.js";

/** Messages by the price that they show: many records show the same one. */
const priceMessages = new WeakMap<Price, ProtoPrice>();

/** The price as the contract has it; the same message for the same price, not to be changed. */
export function toProtoPrice(price: Price): ProtoPrice {
  const known = priceMessages.get(price);
  if (known) return known;
  const message = create(PriceSchema, {
    tiers: price.tiers.map(({ upToTokens, ...tier }) => ({
      ...tier,
      ...(upToTokens !== undefined && { upToTokens: BigInt(upToTokens) }),
      cacheTtlPricing: [...tier.cacheTtlPricing],
    })),
    ...(price.requestNanoUsd !== undefined && { requestNanoUsd: price.requestNanoUsd }),
  });
  priceMessages.set(price, message);
  return message;
}

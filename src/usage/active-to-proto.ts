import type { MessageInitShape } from "@bufbuild/protobuf";
import { UsageStatus as ProtoUsageStatus } from "../../gen/tally/v1/usage_pb.js";
import type { ActiveRequestStatusSchema } from "../../gen/tally/v1/usage_recorder_pb.js";
import type { ProviderKey } from "../catalog/types.js";
import { toTimestamp } from "./to-proto.js";
import { isFinished, type UsageRecord } from "./usage-record.js";

/** Finds the provider key that a record names. Undefined: details are not shown. */
export type DetailsSource = ((providerKeyId: string) => ProviderKey | undefined) | undefined;

/** Where a request is, in few words; with provider and key only when they may be shown. */
export function toProtoActiveStatus(
  record: UsageRecord,
  details: DetailsSource,
): MessageInitShape<typeof ActiveRequestStatusSchema> {
  const { tokens, responseTimeMs, firstByteTimeMs, finishTimeUs } = record;
  const isFinal = isFinished(record.status);
  return {
    requestId: record.requestId,
    userId: record.userId,
    apiKeyId: record.apiKeyId,
    model: record.model,
    targetModel: record.targetModel,
    apiFormat: record.apiFormat,
    isStream: record.isStream,
    status: ProtoUsageStatus[record.status],
    statusCode: isFinal ? record.statusCode : 0,
    errorMessage: record.errorMessage,
    inputTokens: BigInt(tokens.inputTokens),
    outputTokens: BigInt(tokens.outputTokens),
    costNanoUsd: record.cost.totalNanoUsd,
    createTime: toTimestamp(record.createTimeUs),
    ...(!isFinal && { lastActivityTime: toTimestamp(record.updateTimeUs) }),
    ...(finishTimeUs !== undefined && { finishTime: toTimestamp(finishTimeUs) }),
    ...(responseTimeMs !== undefined && { responseTimeMs: BigInt(responseTimeMs) }),
    ...(firstByteTimeMs !== undefined && { firstByteTimeMs: BigInt(firstByteTimeMs) }),
    ...(details && {
      provider: {
        provider: record.provider,
        providerApiKeyId: record.providerApiKeyId,
        providerApiKeyName: details(record.providerApiKeyId)?.name ?? "",
      },
    }),
  };
}

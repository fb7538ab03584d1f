import type {
  CheckQuotaRequest,
  ExtendReservationRequest,
} from "../../../gen/tally/v1/quota_checker_pb.js";
import { type UsageInput, UsageStatus } from "../../../gen/tally/v1/usage_pb.js";

/** Whether a value keeps a rule. */
export type CelPredicate = (value: never) => boolean;

/**
 * The rules of the contract that are written in CEL and met by every call, each written again by
 * hand: to interpret one takes longer than all the rest of a message's rules. By the text of the
 * rule, so that one that is changed is interpreted again until its predicate follows.
 */
export const CEL_PREDICATES: ReadonlyMap<string, CelPredicate> = new Map<string, CelPredicate>([
  [
    "this.user_id != '' || this.api_key_id != ''",
    ({ userId, apiKeyId }: CheckQuotaRequest) => userId !== "" || apiKeyId !== "",
  ],
  [
    "!has(this.estimate) || this.model != ''",
    ({ expectation, model }: ExtendReservationRequest) =>
      expectation.case !== "estimate" || model !== "",
  ],
  [
    "this.token_convention != 0 || (this.cache_creation_input_tokens == 0 && this.cache_read_input_tokens == 0 && this.cache_creations.size() == 0)",
    (usage: UsageInput) =>
      Number(usage.tokenConvention) !== 0 ||
      (isZero(usage.cacheCreationInputTokens) &&
        isZero(usage.cacheReadInputTokens) &&
        usage.cacheCreations.length === 0),
  ],
  [
    "this.operation_id != '' || (!has(this.attempt_number) && !this.is_retried)",
    ({ operationId, attemptNumber, isRetried }: UsageInput) =>
      operationId !== "" || (attemptNumber === undefined && !isRetried),
  ],
  [
    "this.status in [0, 1]",
    ({ status }: UsageInput) =>
      status === UsageStatus.UNSPECIFIED || status === UsageStatus.PENDING,
  ],
]);

function isZero(tokens: bigint | undefined): boolean {
  return tokens === undefined || tokens === 0n;
}

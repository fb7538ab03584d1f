/**
 * What a gateway does for each request that it passes on, as docs/accounting.md advises: check and
 * hold the estimate, tell of progress, extend or stop, and record until it is acknowledged.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { type CheckQuotaResponse, QuotaChecker } from "../../../gen/tally/v1/quota_checker_pb.js";
import { UsageStatus } from "../../../gen/tally/v1/usage_pb.js";
import {
  type RecordUsageResponse,
  UsageRecorder,
} from "../../../gen/tally/v1/usage_recorder_pb.js";

export interface MeterSettings {
  /** What becomes of a request that nobody can check: `allow` lets it pass and records it. */
  readonly onUnavailable: "deny" | "allow";
  /** How often a call is sent before it is given up. */
  readonly attempts: number;
  /** How long one attempt may take. */
  readonly timeoutMs: number;
  readonly heartbeatMs: number;
  readonly reservationTtlSeconds: number;
}

export const DEFAULTS: MeterSettings = {
  onUnavailable: "deny",
  attempts: 4,
  timeoutMs: 2_000,
  heartbeatMs: 10_000,
  reservationTtlSeconds: 600,
};

/** A request as the gateway knows it before it is sent upstream. */
export interface GatewayRequest {
  /** Its own, and the same in all calls about it: that is what makes them safe to repeat. */
  readonly requestId: string;
  readonly userId: string;
  readonly provider: string;
  readonly model: string;
  readonly inputTokens: bigint;
  readonly maxOutputTokens: bigint;
  readonly isStream: boolean;
}

/** The caller may not spend this now. */
export class QuotaDenied extends Error {
  constructor(readonly answer: CheckQuotaResponse) {
    super(answer.message);
  }
}

/** Nobody could be asked, and the policy is to deny. */
export class MeterUnavailable extends Error {}

/** Unknown whether it was done, or not done for now: the same call again is right. */
const REPEATED = [Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded, Code.Aborted];

export function createMeter(transport: Transport, settings: MeterSettings = DEFAULTS) {
  const quota = createClient(QuotaChecker, transport);
  const recorder = createClient(UsageRecorder, transport);

  async function repeat<T>(call: (options: { timeoutMs: number }) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call({ timeoutMs: settings.timeoutMs });
      } catch (error) {
        const failure = ConnectError.from(error);
        if (!REPEATED.includes(failure.code) || attempt >= settings.attempts) throw failure;
        await delay(waitMs(failure, attempt));
      }
    }
  }

  /** Holds the estimate. @throws QuotaDenied, MeterUnavailable */
  async function admit(request: GatewayRequest): Promise<MeteredRequest> {
    const { requestId, userId, provider, model } = request;
    const estimate = toEstimate(request, request.maxOutputTokens);
    const reservationTtl = { seconds: BigInt(settings.reservationTtlSeconds) };
    const check = { requestId, userId, provider, model, reservationTtl, reserve: true };
    try {
      const answer = await repeat((options) =>
        quota.checkQuota({ ...check, expectation: { case: "estimate", value: estimate } }, options),
      );
      if (!answer.allowed) throw new QuotaDenied(answer);
      return meter(request, answer.reservationId);
    } catch (error) {
      if (!(error instanceof ConnectError) || !REPEATED.includes(error.code)) throw error;
      if (settings.onUnavailable === "deny") throw new MeterUnavailable(error.message);
      return meter(request, "");
    }
  }

  function meter(request: GatewayRequest, firstReservationId: string): MeteredRequest {
    const { requestId, userId, provider, model, isStream, inputTokens } = request;
    const ttlMs = settings.reservationTtlSeconds * 1000;
    const startMs = Date.now();
    let reservationId = firstReservationId;
    let covered = request.maxOutputTokens;
    let extendedMs = startMs;
    let heartbeatMs: number | undefined;
    let firstByteTimeMs: bigint | undefined;

    /** Whether the reservation holds that much now; it stays as it was if not. */
    async function extend(outputTokens: bigint): Promise<boolean> {
      const value = toEstimate(request, outputTokens);
      const answer = await repeat((options) =>
        quota.extendReservation(
          {
            reservationId,
            model,
            provider,
            expectation: { case: "estimate", value },
            reservationTtl: { seconds: BigInt(settings.reservationTtlSeconds) },
          },
          options,
        ),
      );
      if (!answer.allowed) return false;
      reservationId = answer.reservationId;
      covered = outputTokens;
      extendedMs = Date.now();
      return true;
    }

    return {
      async start() {
        const usage = { requestId, userId, model, isStream };
        await repeat((options) => recorder.startUsage({ usage, reservationId }, options));
      },

      async progress(outputTokens, nextTokens) {
        firstByteTimeMs ??= BigInt(Date.now() - startMs);
        if (heartbeatMs === undefined || Date.now() - heartbeatMs >= settings.heartbeatMs) {
          heartbeatMs = Date.now();
          const told = { requestId, provider, firstByteTimeMs, outputTokensSoFar: outputTokens };
          const status = UsageStatus.STREAMING;
          // A heartbeat that is lost is made up for by the next.
          await recorder
            .updateUsageStatus({ ...told, status }, { timeoutMs: settings.timeoutMs })
            .catch(() => undefined);
        }
        if (reservationId === "") return true;
        const needed = outputTokens + nextTokens;
        // Seldom, by asking for twice as much; where that is too much, for what is needed.
        if (needed > covered) return (await extend(covered + needed)) || extend(needed);
        return Date.now() - extendedMs < ttlMs / 2 || extend(covered);
      },

      async record(outputTokens) {
        const usage = {
          ...{ requestId, userId, provider, model, isStream, inputTokens, outputTokens },
          responseTimeMs: BigInt(Date.now() - startMs),
          ...(firstByteTimeMs !== undefined && { firstByteTimeMs }),
        };
        return repeat((options) => recorder.recordUsage({ usage, reservationId }, options));
      },

      async release() {
        if (reservationId === "") return;
        await repeat((options) => quota.releaseReservation({ reservationId }, options));
      },
    };
  }

  return { admit };
}

/** A request that may be sent upstream. */
export interface MeteredRequest {
  /** Shows it among the requests under way; the heartbeats of `progress` keep it there. */
  start(): Promise<void>;
  /** Before the next tokens are let through; false: the funds end, stop here and record. */
  progress(outputTokens: bigint, nextTokens: bigint): Promise<boolean>;
  /** Settles. If it throws, keep the usage and record it later: the id makes that safe. */
  record(outputTokens: bigint): Promise<RecordUsageResponse>;
  /** Instead of `record`, when nothing was sent upstream. */
  release(): Promise<void>;
}

function toEstimate({ inputTokens }: GatewayRequest, maxOutputTokens: bigint) {
  return { inputTokens, maxOutputTokens };
}

/** As long as the server asks for, else 100 ms, doubled each time; a part of it by chance. */
function waitMs(failure: ConnectError, attempt: number): number {
  const [asked] = failure.findDetails(RetryInfoSchema);
  const delayed = asked?.retryDelay;
  if (delayed !== undefined) return Number(delayed.seconds) * 1000 + delayed.nanos / 1e6;
  return 100 * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
}

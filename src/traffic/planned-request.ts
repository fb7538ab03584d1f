import type { PromptTokens } from "./prefix-cache.js";

/** One LLM request as a gateway would see it: what it asks before, and what it tells after. */
export interface PlannedRequest extends PromptTokens {
  readonly requestId: string;
  readonly userId: string;
  readonly apiKeyId: string;
  readonly provider: string;
  readonly model: string;
  readonly apiFormat: string;
  readonly outputTokens: number;
  /** Length of the prompt as it is known before the request is sent; a failed one may pay less. */
  readonly promptTokens: number;
  /** The most output that the request allows, at least `outputTokens`. */
  readonly maxOutputTokens: number;
  readonly isStream: boolean;
  /** When the request arrives, milliseconds after the first one. */
  readonly offsetMs: number;
  /** Milliseconds from arrival to the end of the answer, where it is known. */
  readonly responseTimeMs?: number;
  /** Milliseconds from arrival to the first byte of the answer, where it is known. */
  readonly firstByteTimeMs?: number;
  /** HTTP status of the answer. */
  readonly statusCode: number;
  /** What went wrong, for a failed request. */
  readonly errorMessage?: string;
  readonly tags: Readonly<Record<string, string>>;
  /** True when the caller goes away after the check, so that nothing is sent upstream. */
  readonly isAbandoned: boolean;
}

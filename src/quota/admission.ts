import type { ApiKey, QuotaDirectory, User } from "./directory.js";

/** Why a check was answered as it was; names of the contract's QuotaReason. */
export type QuotaReason =
  | "OK"
  | "UNLIMITED"
  | "ADMIN_EXEMPT"
  | "QUOTA_EXCEEDED"
  | "BALANCE_INSUFFICIENT"
  | "USER_NOT_FOUND"
  | "USER_INACTIVE"
  | "API_KEY_NOT_FOUND"
  | "API_KEY_INACTIVE"
  | "API_KEY_EXPIRED"
  | "MODEL_NOT_ALLOWED"
  | "PROVIDER_NOT_ALLOWED"
  | "MODEL_NOT_PRICED";

/** Who asks, for what. */
export interface AdmissionRequest {
  /** "" when the key's owner is meant. */
  readonly userId: string;
  /** "" for none. */
  readonly apiKeyId: string;
  /** "" when it is not known yet. */
  readonly provider: string;
  /** "" when it is not known yet. */
  readonly model: string;
}

/** A denial that has nothing to do with budgets. */
export interface Denial {
  readonly reason: QuotaReason;
  /** For people. */
  readonly message: string;
}

/** Who is to be judged by budgets. */
export interface Admitted {
  readonly user: User | undefined;
  readonly userId: string;
  readonly isStandalone: boolean;
}

/**
 * Whether the caller may spend at all: known, active, not expired, and allowed the model and the
 * provider. A standalone key stands for itself; its creator is not judged.
 */
export function admit(
  directory: QuotaDirectory,
  request: AdmissionRequest,
  nowMs: number,
): Denial | Admitted {
  const key = directory.apiKey(request.apiKeyId);
  if (request.apiKeyId !== "") {
    const denial = judgeKey(key, request, nowMs);
    if (denial) return denial;
  }
  const isStandalone = key?.kind === "STANDALONE";
  const userId = request.userId || (key?.userId ?? "");
  const user = directory.user(userId);
  if (!isStandalone) {
    const denial = judgeUser(user, userId, nowMs);
    if (denial) return denial;
  }
  const judged = isStandalone ? [key] : [key, user];
  return judgeChoices(judged, request) ?? { user, userId, isStandalone };
}

/** Tells a denial from an admission. */
export function isDenial(result: Denial | Admitted): result is Denial {
  return "reason" in result;
}

function judgeKey(
  key: ApiKey | undefined,
  { apiKeyId, userId }: AdmissionRequest,
  nowMs: number,
): Denial | undefined {
  if (!key) return deny("API_KEY_NOT_FOUND", `API key "${apiKeyId}" is not known`);
  if (!key.active) return deny("API_KEY_INACTIVE", `API key "${apiKeyId}" is inactive`);
  if (isPast(key.expireTimeMs, nowMs)) {
    return deny("API_KEY_EXPIRED", `API key "${apiKeyId}" has expired`);
  }
  const isForeign = key.kind === "ORDINARY" && userId !== "" && key.userId !== userId;
  if (!isForeign) return undefined;
  return deny("API_KEY_INACTIVE", `API key "${apiKeyId}" does not belong to user "${userId}"`);
}

function judgeUser(user: User | undefined, userId: string, nowMs: number): Denial | undefined {
  if (!user) return deny("USER_NOT_FOUND", `user "${userId}" is not known`);
  if (!user.active) return deny("USER_INACTIVE", `user "${userId}" is inactive`);
  if (isPast(user.expireTimeMs, nowMs)) {
    return deny("USER_INACTIVE", `user "${userId}" has expired`);
  }
  return undefined;
}

function judgeChoices(
  judged: readonly (ApiKey | User | undefined)[],
  { model, provider }: AdmissionRequest,
): Denial | undefined {
  for (const subject of judged) {
    if (model !== "" && subject?.allowedModels?.has(model) === false) {
      return deny("MODEL_NOT_ALLOWED", `model "${model}" is not allowed`);
    }
    if (provider !== "" && subject?.allowedProviders?.has(provider) === false) {
      return deny("PROVIDER_NOT_ALLOWED", `provider "${provider}" is not allowed`);
    }
  }
  return undefined;
}

function isPast(timeMs: number | null, nowMs: number): boolean {
  return timeMs !== null && timeMs <= nowMs;
}

function deny(reason: QuotaReason, message: string): Denial {
  return { reason, message };
}

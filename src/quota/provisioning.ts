import type { AdmissionRequest } from "./admission.js";
import type { Checker, CheckResult } from "./check.js";

/** Creates what a check named, if that is wanted. */
export interface ProvisioningParts {
  readonly checker: Checker;
  /**
   * DONE: the directory may know the caller now. NOTHING: it never will. Else: ask again later.
   *
   * @throws when the database is away
   */
  readonly provision: (
    request: Pick<AdmissionRequest, "userId" | "apiKeyId">,
  ) => Promise<"DONE" | "NOTHING" | { readonly retryAfterMs: number }>;
}

/**
 * Makes a checker that has unknown callers created before they are judged. Only those who would be
 * denied as unknown wait for it.
 */
export function createProvisioningChecker({ checker, provision }: ProvisioningParts): Checker {
  return {
    async check(request) {
      const result = await checker.check(request);
      if (!isUnknown(result)) return result;
      const outcome = await provision(request);
      if (outcome === "DONE") return checker.check(request);
      return outcome === "NOTHING" ? result : { ...result, ...comeBack(result, outcome) };
    },
  };
}

function isUnknown({ reason }: CheckResult): boolean {
  return reason === "USER_NOT_FOUND" || reason === "API_KEY_NOT_FOUND";
}

function comeBack({ message }: CheckResult, { retryAfterMs }: { readonly retryAfterMs: number }) {
  return { message: `${message}, and too many are being created; try again`, retryAfterMs };
}

import type { AdmissionRequest } from "./admission.js";
import type { Checker, CheckRequest, CheckResult } from "./check.js";

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
  async function createAndCheck(request: CheckRequest, result: CheckResult): Promise<CheckResult> {
    const outcome = await provision(request);
    if (outcome === "DONE") return await checker.check(request);
    return outcome === "NOTHING" ? result : { ...result, ...comeBack(result, outcome) };
  }

  return {
    check(request) {
      const result = checker.check(request);
      // Who is unknown is told at once: there is nothing to ask the database about.
      if (result instanceof Promise || !isUnknown(result)) return result;
      return createAndCheck(request, result);
    },
  };
}

function isUnknown({ reason }: CheckResult): boolean {
  return reason === "USER_NOT_FOUND" || reason === "API_KEY_NOT_FOUND";
}

function comeBack({ message }: CheckResult, { retryAfterMs }: { readonly retryAfterMs: number }) {
  return { message: `${message}, and too many are being created; try again`, retryAfterMs };
}

import { expect } from "chai";
import { type AdmissionRequest, admit, isDenial } from "../../src/quota/admission.js";
import { makeDirectory, makeKey, makeUser } from "./quota-directory.js";

const NOW_MS = 1_000_000;

const directory = makeDirectory({
  users: [
    makeUser("alice"),
    makeUser("inactive", { active: false }),
    makeUser("expired", { expireTimeMs: NOW_MS }),
    makeUser("expiring", { expireTimeMs: NOW_MS + 1 }),
    makeUser("picky", {
      allowedModels: new Set(["m1", "m2"]),
      allowedProviders: new Set(["p1"]),
    }),
  ],
  apiKeys: [
    makeKey("key", "alice"),
    makeKey("key-inactive", "alice", { active: false }),
    makeKey("key-expired", "alice", { expireTimeMs: NOW_MS }),
    makeKey("key-expiring", "alice", { expireTimeMs: NOW_MS + 1 }),
    makeKey("key-of-inactive", "inactive"),
    makeKey("key-of-expired", "expired"),
    makeKey("key-of-nobody", "nobody"),
    makeKey("key-m2", "picky", { allowedModels: new Set(["m2", "m3"]) }),
    makeKey("prepaid", "inactive", { kind: "STANDALONE" }),
    makeKey("prepaid-ownerless", "", { kind: "STANDALONE" }),
    makeKey("prepaid-of-picky", "picky", { kind: "STANDALONE" }),
    makeKey("prepaid-m1", "", { kind: "STANDALONE", allowedModels: new Set(["m1"]) }),
    makeKey("prepaid-inactive", "alice", { kind: "STANDALONE", active: false }),
  ],
});

/** Who asks, and why that is denied or as whom it is admitted. */
const CASES: readonly (readonly [string, Partial<AdmissionRequest>, string])[] = [
  ["a user", { userId: "alice" }, "alice"],
  ["nobody", {}, "USER_NOT_FOUND"],
  ["an unknown user", { userId: "nobody" }, "USER_NOT_FOUND"],
  ["an inactive user", { userId: "inactive" }, "USER_INACTIVE"],
  ["a user whose time is up", { userId: "expired" }, "USER_INACTIVE"],
  ["a user just before", { userId: "expiring" }, "expiring"],
  ["a key, for its owner", { apiKeyId: "key" }, "alice"],
  ["a key with its owner", { apiKeyId: "key", userId: "alice" }, "alice"],
  ["an unknown key", { apiKeyId: "none" }, "API_KEY_NOT_FOUND"],
  ["an unknown key of a known user", { apiKeyId: "none", userId: "alice" }, "API_KEY_NOT_FOUND"],
  ["an inactive key", { apiKeyId: "key-inactive" }, "API_KEY_INACTIVE"],
  ["a key whose time is up", { apiKeyId: "key-expired" }, "API_KEY_EXPIRED"],
  ["a key just before", { apiKeyId: "key-expiring" }, "alice"],
  ["a key with another user", { apiKeyId: "key", userId: "picky" }, "API_KEY_INACTIVE"],
  ["a key of an inactive user", { apiKeyId: "key-of-inactive" }, "USER_INACTIVE"],
  ["a key of an expired user", { apiKeyId: "key-of-expired" }, "USER_INACTIVE"],
  ["a key of an unknown user", { apiKeyId: "key-of-nobody" }, "USER_NOT_FOUND"],
  ["a standalone key of an inactive user", { apiKeyId: "prepaid" }, "standalone"],
  ["a standalone key without an owner", { apiKeyId: "prepaid-ownerless" }, "standalone"],
  ["a standalone key in any hand", { apiKeyId: "prepaid", userId: "nobody" }, "standalone"],
  ["an inactive standalone key", { apiKeyId: "prepaid-inactive" }, "API_KEY_INACTIVE"],
  ["a model that the user may use", { userId: "picky", model: "m1" }, "picky"],
  ["a model that the user may not use", { userId: "picky", model: "m3" }, "MODEL_NOT_ALLOWED"],
  ["a model that is not known yet", { userId: "picky", model: "" }, "picky"],
  ["a provider that the user may use", { userId: "picky", provider: "p1" }, "picky"],
  [
    "a provider that the user may not use",
    { userId: "picky", provider: "p2" },
    "PROVIDER_NOT_ALLOWED",
  ],
  ["a model of both key and user", { apiKeyId: "key-m2", model: "m2" }, "picky"],
  ["a model of the user alone", { apiKeyId: "key-m2", model: "m1" }, "MODEL_NOT_ALLOWED"],
  ["a model of the key alone", { apiKeyId: "key-m2", model: "m3" }, "MODEL_NOT_ALLOWED"],
  [
    "a standalone key, bound by its own lists",
    { apiKeyId: "prepaid-m1", model: "m2" },
    "MODEL_NOT_ALLOWED",
  ],
  [
    "a standalone key, not bound by its creator's",
    { apiKeyId: "prepaid-of-picky", model: "m9" },
    "standalone",
  ],
];

describe("admit", () => {
  for (const [who, request, expected] of CASES) {
    it(`answers ${who} with ${expected}`, () => {
      const full = { userId: "", apiKeyId: "", provider: "", model: "", ...request };
      const result = admit(directory, full, NOW_MS);
      if (isDenial(result)) {
        expect(result.reason).to.equal(expected);
        expect(result.message).to.include('"');
      } else {
        expect(result.isStandalone ? "standalone" : result.userId).to.equal(expected);
        expect(result.isStandalone || result.user?.userId).to.equal(
          result.isStandalone || expected,
        );
      }
    });
  }
});

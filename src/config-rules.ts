import { showValue } from "./ascii.js";
import { SETTINGS, type SettingValues } from "./config-settings.js";
import type { EffectiveSetting, SettingKey } from "./config-sources.js";
import { isLoopback, parseAddress } from "./server/address.js";

/** What settings must not be together, though each of them is allowed. */
interface Rule<K extends SettingKey = SettingKey> {
  /** The settings that it is about; the first is the one to change. */
  readonly keys: readonly K[];
  /** Completes "SETTING: "; undefined: nothing is wrong. */
  problem(values: Pick<SettingValues, K>): string | undefined;
}

function rule<const K extends SettingKey>(
  keys: readonly K[],
  problem: (values: Pick<SettingValues, K>) => string | undefined,
): Rule {
  // Called with at least the values that it names.
  return { keys, problem: problem as Rule["problem"] };
}

const nameOf = (key: SettingKey) => SETTINGS[key].name;

/** The first setting is needed when the second one is set, or says so. */
function needed(key: SettingKey, by: SettingKey, word?: string): Rule {
  return rule([key, by], (values) => {
    const isAsked = word === undefined ? values[by] !== undefined : values[by] === word;
    if (!isAsked || values[key] !== undefined) return undefined;
    return `must be set when ${nameOf(by)} is${word === undefined ? "" : ` "${word}"`}`;
  });
}

const RULES: readonly Rule[] = [
  rule(["grpcAddress", "auth"], ({ grpcAddress, auth }) => {
    if (auth !== "none" || isLoopback(parseAddress(grpcAddress))) return undefined;
    return refusedAddress(grpcAddress);
  }),
  rule(["httpAddress", "auth"], ({ httpAddress, auth }) => {
    const isSafe = httpAddress === "off" || isLoopback(parseAddress(httpAddress));
    return auth !== "none" || isSafe ? undefined : refusedAddress(httpAddress);
  }),
  rule(["httpAllowedOrigins", "auth"], ({ httpAllowedOrigins: origins, auth }) =>
    auth === "none" && origins?.includes("*")
      ? `must not be "*" while ${nameOf("auth")} is none, as any web page could do everything then`
      : undefined,
  ),
  needed("tlsCert", "tlsKey"),
  needed("tlsKey", "tlsCert"),
  needed("tlsCert", "tlsClientCa"),
  needed("tlsClientCa", "tlsClientCertificates", "required"),
  rule(["databasePoolSize", "recorderLanes"], ({ databasePoolSize: size, recorderLanes: lanes }) =>
    size > lanes
      ? undefined
      : `must be larger than ${nameOf("recorderLanes")}, ${lanes} (was ${size})`,
  ),
  rule(
    ["recorderQueueLimit", "recorderBatchSize"],
    ({ recorderQueueLimit: limit, recorderBatchSize: size }) =>
      limit >= size
        ? undefined
        : `must be at least ${nameOf("recorderBatchSize")}, ${size} (was ${limit})`,
  ),
];

/** Settings that are allowed one by one and contradict each other: one line each. */
export function problemsTogether(settings: readonly EffectiveSetting[]): string[] {
  const byKey = new Map(settings.map((setting) => [setting.key, setting]));
  const values = Object.fromEntries(settings.map(({ key, value }) => [key, value]));
  // What is wrong by itself is told already.
  const isRead = (key: SettingKey) =>
    byKey.get(key)!.text === undefined || values[key] !== undefined;
  return RULES.filter(({ keys }) => keys.every(isRead)).flatMap(({ keys, problem }) => {
    const text = problem(values as SettingValues);
    return text === undefined ? [] : [`${byKey.get(keys[0]!)!.place}: ${text}`];
  });
}

function refusedAddress(address: string): string {
  const auth = nameOf("auth");
  return (
    `must be a loopback address or a unix socket while ${auth} is none, ` +
    `because every caller may do everything then (was ${showValue(address)}); to listen there, ` +
    `make a token with "tally token create --bootstrap" and set ${auth}=required`
  );
}

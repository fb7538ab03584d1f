import { InvalidArgumentError, Option } from "commander";
import { SETTINGS } from "../config-settings.js";
import { parseDurationMs } from "../config-values.js";

const DAY_MS = 86_400_000;

/** Reads a whole number. @throws InvalidArgumentError, which commander reports */
export function wholeNumberArgument(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Reads "500ms", "60s", "5m" as milliseconds. @throws InvalidArgumentError */
export function durationArgument(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError("It must be a duration with its unit, such as 60s or 5m.");
}

/** Reads a length of time as above, or in days: "90d". @throws InvalidArgumentError */
export function lifetimeArgument(text: string): number {
  const [, days] = /^(\d{1,5})d$/.exec(text) ?? [];
  return days === undefined ? durationArgument(text) : Number(days) * DAY_MS;
}

/** Reads "max", which means Infinity, or a factor above 0. @throws InvalidArgumentError */
export function speedArgument(text: string): number {
  if (text === "max") return Number.POSITIVE_INFINITY;
  const speed = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (speed > 0) return speed;
  throw new InvalidArgumentError('It must be "max" or a factor above 0, such as 1 or 60.');
}

/** Reads an RFC 3339 time as milliseconds since the epoch. @throws InvalidArgumentError */
export function timeArgument(text: string): number {
  const isComplete = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = isComplete ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidArgumentError("It must be a time with its zone, such as 2026-01-05T09:00:00Z.");
}

/** `--address`: the server that a command calls; by default where `serve` listens. */
export function addressOption(): Option {
  const { name, default: usual } = SETTINGS.grpcAddress;
  const address = process.env[name] || usual;
  return new Option("--address <host:port>", "server to call").default(address);
}

/**
 * CheckQuota with reserve against an empty handler of grpc-js in a process of its own, in turns: on
 * the budgets of 1,000 users, and on a single budget; calls a second with 256 in flight, and p99 at
 * half of that. Then, on two replicas, whether a budget for k requests admits exactly k.
 */
import { fileURLToPath } from "node:url";
import {
  admitOnce,
  CHECK_QUOTA,
  countDrifts,
  prepareCatalog,
  requestOf,
  SHARED,
  USERS,
  untilIdle,
  warmUp,
} from "./check-load.js";
import { type Comparison, report } from "./support/report.js";
import { startProgram, startServer } from "./support/server.js";
import { median } from "./support/statistics.js";
import { runTimedLoad, type TimedLoadResult } from "./support/timed-load.js";

const ROUNDS = 3;
/** h2load sends one message again and again: so many processes, each with its own user. */
const PROCESSES = 16;
const IN_FLIGHT = 256;
/** For a quick look: `BENCH_SECONDS=1`. */
const SECONDS = Number(process.env.BENCH_SECONDS ?? 8);
const FITTING = 5_000;
const ASKING = 10_000;

const BASELINE = fileURLToPath(new URL("./check-baseline.ts", import.meta.url));

/** Calls a second with all in flight, and p99 at half of them. */
interface Measured {
  readonly full: TimedLoadResult;
  readonly half: TimedLoadResult;
}

/** Runs the benchmark; returns whether every floor of it was met. */
export async function benchCheck(): Promise<boolean> {
  const server = await startServer();
  try {
    await prepareCatalog(server.address);
    const answerBytes = await warmUp(server.address);
    const baseline = await startProgram(["--import", "tsx", BASELINE, String(answerBytes)]);
    try {
      const comparisons = await compare(server.address, baseline.address, answerBytes);
      const areFloorsMet = await report("check", comparisons);
      return (await isExactOnTwo(server)) && areFloorsMet;
    } finally {
      await baseline.stop();
    }
  } finally {
    await server.stop();
  }
}

async function compare(
  address: string,
  baselineAddress: string,
  answerBytes: number,
): Promise<Comparison[]> {
  const empty: Measured[] = [];
  const many: Measured[] = [];
  const single: Measured[] = [];
  const measureOn = async (at: string, users: readonly number[]) => {
    const load = { address: at, users, minAnswerBytes: Math.floor(answerBytes * 0.9) };
    const measured = await measure(load);
    if (at === address) await untilIdle(address, users);
    return measured;
  };
  // Not counted: what a just-in-time compiler has not seen yet.
  await measureOn(baselineAddress, usersOf(0));
  await measureOn(address, usersOf(0));
  for (let round = 1; round <= ROUNDS; round += 1) {
    process.stdout.write(`check: round ${round} of ${ROUNDS}\n`);
    const users = usersOf(round);
    empty.push(await measureOn(baselineAddress, users));
    many.push(await measureOn(address, users));
    single.push(await measureOn(address, Array(PROCESSES).fill(SHARED)));
  }
  return [
    ...toComparisons(`CheckQuota with reserve, ${USERS} users`, many, empty, 0.75),
    ...toComparisons("CheckQuota with reserve, one budget", single, empty, 0.7),
  ];
}

/** Other users each round, spread over all. */
function usersOf(round: number): number[] {
  const step = Math.floor(USERS / PROCESSES);
  return Array.from({ length: PROCESSES }, (_, index) => index * step + round);
}

async function measure(on: {
  readonly address: string;
  readonly users: readonly number[];
  readonly minAnswerBytes: number;
}): Promise<Measured> {
  const { address, users, minAnswerBytes } = on;
  const load = {
    ...{ address, minAnswerBytes, path: CHECK_QUOTA, messages: users.map(requestOf) },
    ...{ seconds: SECONDS, inFlight: IN_FLIGHT },
  };
  const full = await runTimedLoad(load);
  const half = await runTimedLoad({ ...load, callsPerSecond: full.callsPerSecond / 2 });
  return { full, half };
}

function toComparisons(
  name: string,
  runs: readonly Measured[],
  baselineRuns: readonly Measured[],
  floor: number,
): Comparison[] {
  const figures = (of: (measured: Measured) => number) => {
    const [measured, baseline] = [runs.map(of), baselineRuns.map(of)];
    return {
      runs: measured,
      baselineRuns: baseline,
      ratio: median(measured) / median(baseline),
    };
  };
  const cores = median(runs.map(({ full }) => full.loadCores));
  const baselineCores = median(baselineRuns.map(({ full }) => full.loadCores));
  const baselineName = "empty handler of grpc-js, messages of the same sizes";
  return [
    {
      ...{ name, unit: "calls/s", baselineName, floor, aim: 0.9 },
      ...figures(({ full }) => full.callsPerSecond),
      note: `the load took ${cores.toFixed(2)} cores, and ${baselineCores.toFixed(2)} of the baseline`,
    },
    {
      ...{ name: `${name}, p99 at half load`, unit: "ms", baselineName, floor: 1.5, aim: 1 },
      ...figures(({ half }) => half.p99Ms),
      isSmallerBetter: true,
    },
  ];
}

/** Two replicas on one database, asked for more than a budget has: not one too many or too few. */
async function isExactOnTwo({
  address,
  databaseUrl,
}: Awaited<ReturnType<typeof startServer>>): Promise<boolean> {
  const second = await startServer({ DATABASE_URL: databaseUrl });
  try {
    const addresses = [address, second.address];
    const admitted = await admitOnce(addresses, { fitting: FITTING, asking: ASKING });
    const drifts = await countDrifts(address);
    process.stdout.write(
      `  two replicas, room for ${FITTING} of ${ASKING}: ${admitted} admitted; ${drifts} drifts\n`,
    );
    return admitted === FITTING && drifts === 0n;
  } finally {
    await second.stop();
  }
}

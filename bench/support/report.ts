import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { median, spreadPercent } from "./statistics.js";

/** One figure against its baseline, each measured several times in turns. */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly runs: readonly number[];
  readonly baselineName: string;
  readonly baselineRuns: readonly number[];
  /** What the figure means for the aim: "2.5 x". */
  readonly ratio: number;
  readonly floor: number;
  readonly aim: number;
  /** Whether a smaller ratio is better, for latencies. Default false. */
  readonly isSmallerBetter?: boolean;
  /** Said beside the figures: what the load cost. */
  readonly note?: string;
}

const RESULTS = fileURLToPath(new URL("../results/", import.meta.url));

/** Prints the comparisons and writes them as JSON; returns whether every floor was met. */
export async function report(bench: string, comparisons: readonly Comparison[]): Promise<boolean> {
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  process.stdout.write(`\n${bench} (${machine})\n`);
  for (const comparison of comparisons) process.stdout.write(toLines(comparison));
  await mkdir(RESULTS, { recursive: true });
  const content = JSON.stringify({ bench, machine, comparisons }, null, 2);
  await writeFile(`${RESULTS}${bench}.json`, `${content}\n`);
  return comparisons.every(isFloorMet);
}

function toLines(comparison: Comparison): string {
  const { name, unit, runs, baselineName, baselineRuns, ratio, floor, aim } = comparison;
  const verdict = isFloorMet(comparison) ? "floor met" : "FLOOR MISSED";
  return [
    `  ${name}: ${figure(runs)} ${unit}`,
    `    against ${baselineName}: ${figure(baselineRuns)} ${unit}`,
    ...(comparison.note === undefined ? [] : [`    ${comparison.note}`]),
    `    ratio ${ratio.toFixed(2)}, floor ${floor}, aim ${aim}: ${verdict}`,
    "",
  ].join("\n");
}

function figure(runs: readonly number[]): string {
  const middle = median(runs);
  const shown = middle >= 100 ? Math.round(middle).toLocaleString("en") : middle.toFixed(3);
  return `${shown} (spread ${spreadPercent(runs).toFixed(0)} % of ${runs.length} runs)`;
}

function isFloorMet({ ratio, floor, isSmallerBetter = false }: Comparison): boolean {
  return isSmallerBetter ? ratio <= floor : ratio >= floor;
}

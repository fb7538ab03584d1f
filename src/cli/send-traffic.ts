import { createCallTimings } from "../traffic/call-timings.js";
import { type DriveOptions, driveTraffic } from "../traffic/driver.js";
import type { PlannedRequest } from "../traffic/planned-request.js";
import { createRetrier } from "../traffic/retry.js";
import { type SendOptions, sendRequest } from "../traffic/send-request.js";
import {
  addSentRequest,
  createTrafficTotals,
  type TrafficTotals,
} from "../traffic/traffic-totals.js";
import { formatCount, formatDollars } from "./format.js";
import { showProgress } from "./progress.js";
import type { TrafficTiming } from "./traffic-report.js";

/** Traffic to send, and how. */
export interface TrafficRun
  extends Pick<SendOptions, "clients" | "reserve" | "recordDenied" | "createTimeMs">,
    Pick<DriveOptions, "concurrency" | "speed" | "laneOf"> {
  readonly requests: AsyncIterable<PlannedRequest> | Iterable<PlannedRequest>;
  /** How long the server may answer nothing at all. */
  readonly retryForMs: number;
  /** Ends the run early; what is under way is finished. */
  readonly stopSignal: AbortSignal;
}

/** What came of it. */
export interface SentTraffic {
  readonly totals: TrafficTotals;
  readonly timing: TrafficTiming;
}

/**
 * Sends traffic and shows how far it has come on standard error.
 *
 * @throws ServerGoneError; what the plan throws
 */
export async function sendTraffic(run: TrafficRun): Promise<SentTraffic> {
  const totals = createTrafficTotals();
  const timings = createCallTimings();
  let retries = 0;
  const retrier = createRetrier({
    retryForMs: run.retryForMs,
    onRetry: () => {
      retries += 1;
    },
  });
  const progress = showProgress(process.stderr, () => progressLine(totals, retries));
  const startedMs = performance.now();
  try {
    await driveTraffic(run.requests, {
      ...run,
      signal: run.stopSignal,
      async send(request, signal) {
        addSentRequest(totals, await sendRequest(request, { ...run, retrier, timings, signal }));
      },
    });
  } finally {
    progress.stop();
  }
  return { totals, timing: { elapsedMs: performance.now() - startedMs, timings, retries } };
}

function progressLine(totals: TrafficTotals, retries: number): string {
  const parts = [
    `${formatCount(totals.requests)} requests`,
    `${formatCount(totals.recorded)} recorded`,
    formatDollars(totals.costNanoUsd),
  ];
  if (totals.lost > 0) parts.push(`${formatCount(totals.lost)} lost`);
  if (retries > 0) parts.push(`${formatCount(retries)} calls repeated`);
  return parts.join(", ");
}

import { readdirSync } from "node:fs";
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Metrics } from "./metrics.js";

/** Timers of the event loop's monitor, milliseconds: what it shows is no finer. */
const RESOLUTION_MS = 10;

/**
 * Shows the process, read at each scrape.
 *
 * @returns ends what watches the event loop
 */
export function watchProcess(metrics: Metrics, version: string): () => void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let loop: EventLoopUtilization = performance.eventLoopUtilization();
  metrics.set("tally_build_info", 1, [version, process.version]);
  metrics.set("process_start_time_seconds", performance.timeOrigin / 1_000);

  metrics.onScrape(() => {
    for (const quantile of [0.5, 0.99, 1]) {
      // NaN before the first timer.
      const lagNs = delays.percentile(quantile * 100) || 0;
      const lagSeconds = Math.max(lagNs / 1e9 - RESOLUTION_MS / 1_000, 0);
      metrics.set("tally_event_loop_lag_seconds", lagSeconds, [String(quantile)]);
    }
    delays.reset();
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, loop);
    metrics.set("tally_event_loop_utilization", utilization);
    loop = now;
    const { user, system } = process.cpuUsage();
    metrics.set("process_cpu_seconds_total", (user + system) / 1e6);
    const { rss, heapUsed, external } = process.memoryUsage();
    metrics.set("process_resident_memory_bytes", rss);
    metrics.set("nodejs_heap_used_bytes", heapUsed);
    metrics.set("nodejs_external_memory_bytes", external);
    metrics.set("process_open_fds", countOpenFiles());
  });
  return () => delays.disable();
}

function countOpenFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

import type { BucketHistogram } from "./bucket-histogram.js";
import type { Metrics } from "./metrics.js";

/** What is asked of a call. */
interface CountedCall {
  readonly method: string;
  readonly isStreaming: boolean;
}

/** Counts the calls of one port. */
export interface CallMeter {
  /** A call has begun; `end` is told once, with its gRPC code. */
  begin(call: CountedCall): { end(code: number): void };
}

/**
 * Makes a meter.
 *
 * @param port - "grpc" or "http"
 * @param codeName - "OK" for 0
 */
export function createCallMeter(
  metrics: Metrics,
  port: string,
  codeName: (code: number) => string,
): CallMeter {
  const methods = new Map<string, MethodCount>();
  metrics.onScrape(() => {
    let inFlight = 0;
    for (const [method, count] of methods) {
      if (count.isStreaming) metrics.set("tally_streams_open", count.open, [port, method]);
      else inFlight += count.open;
    }
    metrics.set("tally_calls_in_flight", inFlight, [port]);
  });
  return {
    begin({ method, isStreaming }) {
      let count = methods.get(method);
      if (count === undefined) {
        count = new MethodCount(isStreaming, (code) =>
          metrics.histogram("tally_call_duration_seconds", [port, method, codeName(code)]),
        );
        methods.set(method, count);
      }
      return new CountedEnd(count);
    },
  };
}

/** What was counted of one method. */
class MethodCount {
  open = 0;
  private readonly byCode: BucketHistogram[] = [];

  constructor(
    readonly isStreaming: boolean,
    private readonly histogramOf: (code: number) => BucketHistogram,
  ) {}

  observe(code: number, seconds: number): void {
    let histogram = this.byCode[code];
    if (histogram === undefined) {
      histogram = this.histogramOf(code);
      this.byCode[code] = histogram;
    }
    histogram.observe(seconds);
  }
}

class CountedEnd {
  private readonly startedMs = performance.now();

  constructor(private readonly count: MethodCount) {
    count.open += 1;
  }

  end(code: number): void {
    this.count.open -= 1;
    this.count.observe(code, (performance.now() - this.startedMs) / 1_000);
  }
}

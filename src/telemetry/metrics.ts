import { type Metric, Registry } from "prom-client";
import { BucketHistogram, type Sample } from "./bucket-histogram.js";
import { METRICS, type MetricDefinition, type MetricName } from "./metric-table.js";

/** The names of one type of metrics. */
type NameOf<T extends MetricDefinition["type"]> = {
  [N in MetricName]: (typeof METRICS)[N]["type"] extends T ? N : never;
}[MetricName];

/** Values of the labels of a metric, in the order of its definition. */
export type LabelValues = readonly string[];

/** Metrics of one app; a process may have several. Counting touches plain numbers only. */
export interface Metrics {
  /** Adds to a counter. */
  add(name: NameOf<"counter">, amount?: number, labels?: LabelValues): void;
  /** Sets a gauge, or a counter that somebody else counts. */
  set(name: NameOf<"gauge" | "counter">, value: number, labels?: LabelValues): void;
  /** A histogram to observe values with. */
  histogram(name: NameOf<"histogram">, labels?: LabelValues): BucketHistogram;
  /** Told at each scrape, before it reads. */
  onScrape(collect: () => void): void;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
}

/** The series of one metric by the values of their labels. */
interface Series<T> {
  readonly labels: LabelValues;
  value: T;
}

/** Makes metrics without a value yet. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const collectors: (() => void)[] = [];
  const numbers = new Map<MetricName, Map<string, Series<number>>>();
  const histograms = new Map<MetricName, Map<string, Series<BucketHistogram>>>();
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const definition: MetricDefinition = METRICS[name];
    const isHistogram = definition.type === "histogram";
    if (isHistogram) histograms.set(name, new Map());
    // What has no labels is there from the start: a counter that nothing moved says 0.
    else numbers.set(name, new Map(definition.labels.length > 0 ? [] : [["", zero()]]));
    registry.registerMetric(
      toMetric(name, definition, () =>
        isHistogram
          ? [...histograms.get(name)!.values()].flatMap(({ labels, value }) =>
              value.samples(name, named(definition, labels)),
            )
          : [...numbers.get(name)!.values()].map(({ labels, value }) => ({
              labels: named(definition, labels),
              value,
            })),
      ),
    );
  }

  function numberOf(name: MetricName, labels: LabelValues): Series<number> {
    return find(numbers.get(name)!, labels, () => 0);
  }

  return {
    add(name, amount = 1, labels = NO_LABELS) {
      numberOf(name, labels).value += amount;
    },
    set(name, value, labels = NO_LABELS) {
      numberOf(name, labels).value = value;
    },
    histogram(name, labels = NO_LABELS) {
      const { buckets } = METRICS[name];
      return find(histograms.get(name)!, labels, () => new BucketHistogram(buckets)).value;
    },
    onScrape: (collect) => void collectors.push(collect),
    text() {
      for (const collect of collectors) collect();
      return registry.metrics();
    },
  };
}

const NO_LABELS: LabelValues = [];

function zero(): Series<number> {
  return { labels: NO_LABELS, value: 0 };
}

function find<T>(series: Map<string, Series<T>>, labels: LabelValues, make: () => T): Series<T> {
  const key = labels.length === 1 ? labels[0]! : labels.join("\0");
  const known = series.get(key);
  if (known) return known;
  const made = { labels, value: make() };
  series.set(key, made);
  return made;
}

function named({ labels: names }: MetricDefinition, values: LabelValues): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
}

/** What prom-client's registry asks of a metric; its own ones hash their labels at every count. */
function toMetric(name: string, { type, help }: MetricDefinition, read: () => Sample[]): Metric {
  const metric = {
    name,
    help,
    type,
    aggregator: "sum",
    get: async () => ({ name, help, type, values: read() }),
  };
  return metric as unknown as Metric;
}

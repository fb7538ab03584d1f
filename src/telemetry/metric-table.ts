/** What a metric is. Values of labels come from short lists; never from callers. */
export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  /** What it counts, in one sentence. */
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, rising. */
  readonly buckets?: readonly number[];
}

const counter = (help: string, ...labels: string[]) =>
  ({ type: "counter", help, labels }) as const satisfies MetricDefinition;
const gauge = (help: string, ...labels: string[]) =>
  ({ type: "gauge", help, labels }) as const satisfies MetricDefinition;
const histogram = (buckets: readonly number[], help: string, ...labels: string[]) =>
  ({ type: "histogram", help, labels, buckets }) as const satisfies MetricDefinition;

/** Seconds: from what is answered from memory to what has given up waiting. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const RECORDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

/** Every metric, each declared once. `docs/metrics.md` is generated from this table. */
export const METRICS = {
  tally_call_duration_seconds: histogram(
    SECONDS,
    "How long calls took, by their gRPC code; of streams, from begin to end.",
    "port",
    "method",
    "code",
  ),
  tally_calls_in_flight: gauge("Unary calls that wait for their answer.", "port"),
  tally_streams_open: gauge("Streaming calls that are open.", "port", "method"),
  tally_failed_logins_total: counter("Calls refused since nobody knew who calls.", "reason"),

  tally_recorder_queue_depth: gauge("Usage records that wait for their commit."),
  tally_recorder_queue_limit: gauge("Queue depth at which records are refused."),
  tally_recorder_batch_records: histogram(RECORDS, "Usage records in one transaction."),
  tally_recorder_commit_seconds: histogram(
    SECONDS,
    "How long transactions of usage records took, retries included.",
    "outcome",
  ),
  tally_budget_overages_total: counter("Postings that left a period of a budget above its limit."),
  tally_stale_requests_failed_total: counter(
    "Requests that were failed since nothing was heard of them any more.",
  ),

  tally_quota_checks_total: counter(
    "Checks by their answer, those in batches included.",
    "allowed",
    "reason",
  ),
  tally_quota_unchecked_passes_total: counter(
    "Times that a budget let a request pass unseen, since the database was away.",
  ),
  tally_ledger_reserves_total: counter(
    "Reservations asked for, by whether memory could answer (a lease hit) or the database had to.",
    "answered_by",
  ),
  tally_ledger_grow_seconds: histogram(
    SECONDS,
    "How long questions to the database for larger leases took.",
    "outcome",
  ),
  tally_ledger_refills_total: counter(
    "Times that a lease was asked to hold more than callers waited for.",
  ),
  tally_ledger_tends_total: counter("Rounds of renewing and returning leases.", "outcome"),
  tally_ledger_swept_leases_total: counter("Leases of dead replicas that were returned."),
  tally_ledger_reservations_open: gauge("Reservations that this replica holds."),
  tally_budget_alerts_total: counter(
    "Budget alerts fired since this replica started, by any replica: take the maximum, not the sum.",
  ),

  tally_ledger_drifts: gauge(
    "Figures that differed from the records at the last VerifyLedger of this replica.",
  ),
  tally_ledger_verified_timestamp_seconds: gauge("When the last VerifyLedger ended."),
  tally_purged_total: counter("What retention removed.", "kind"),
  tally_purge_finished_timestamp_seconds: gauge("When the last purge of this replica ended."),

  tally_database_connections: gauge("Connections of the pool.", "state"),
  tally_database_connections_limit: gauge("Most connections of the pool."),
  tally_database_waiting: gauge("Queries that wait for a connection."),

  tally_cache_reads_total: counter("Reads of the cache of answers, by hit or miss.", "result"),
  tally_cache_unanswered_total: counter("Commands that Redis did not answer, or not in time."),

  tally_event_loop_lag_seconds: gauge(
    "How late timers were since the last scrape; 1 is the longest.",
    "quantile",
  ),
  tally_event_loop_utilization: gauge(
    "Share of the time since the last scrape in which the event loop was busy, 0 to 1.",
  ),
  tally_build_info: gauge("Always 1.", "version", "node"),
  process_start_time_seconds: gauge("When the process started."),
  process_cpu_seconds_total: counter("CPU time of the process, user and system."),
  process_resident_memory_bytes: gauge("Memory of the process that is in RAM."),
  process_open_fds: gauge("Open file descriptors; 0 where the system does not tell."),
  nodejs_heap_used_bytes: gauge("JavaScript heap in use."),
  nodejs_external_memory_bytes: gauge("Memory outside of the heap, buffers for instance."),
} as const satisfies Record<string, MetricDefinition>;

/** Name of a metric. */
export type MetricName = keyof typeof METRICS;

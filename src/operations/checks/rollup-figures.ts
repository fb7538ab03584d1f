/** Every figure of a rollup that is a number, and what one finished record adds to it. */
export const SUMS: Readonly<Record<string, string>> = {
  requests: "(not is_retried)::integer::bigint",
  attempts: "1::bigint",
  input_tokens: "input_tokens",
  output_tokens: "output_tokens",
  cache_creation_tokens: "cache_creation_tokens",
  cache_read_tokens: "cache_read_tokens",
  cost_input: "cost_input",
  cost_output: "cost_output",
  cost_cache_creation: "cost_cache_creation",
  cost_cache_read: "cost_cache_read",
  cost_request: "cost_request",
  actual_cost:
    "(actual_input + actual_output + actual_cache_creation + actual_cache_read + actual_request)",
  response_time_ms_sum: "coalesce(response_time_ms, 0)",
  first_byte_time_ms_sum: "coalesce(first_byte_time_ms, 0)",
};

/** Figures that are sketches, and what one finished record adds; null where nothing was measured. */
export const SKETCHES: Readonly<Record<string, string>> = {
  response_times: "latency_sketch(response_time_ms, 1)",
  first_byte_times: "latency_sketch(first_byte_time_ms, 1)",
};

/** Names of the sums, in one order. */
export const SUM_NAMES = Object.keys(SUMS);

/** Names of the sketches, in one order. */
export const SKETCH_NAMES = Object.keys(SKETCHES);

/** The bucket of this width that a time falls in; buckets are UTC. */
export function binned(time: string, width: string): string {
  return `date_bin('${width}', ${time}, '2000-01-01 00:00:00+00')`;
}

/** Identifies a set of tags, `tags`, in the key of a quarter-hour. */
export const TAG_SET_ID =
  "coalesce(left(encode(sha256(convert_to(tags::text, 'UTF8')), 'hex'), 32), '')";

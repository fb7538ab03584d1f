/**
 * The columns of a record that most records say the same, as `toRecordJson` writes them. The
 * functions of the database fill in what is missing from the same values (`blank_usage_record`).
 */
export const BLANK_COLUMNS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["revision", "1"],
  ["status", "COMPLETED"],
  ["request_type", "chat"],
  ["status_code", 200],
  ["use_tiered_pricing", true],
  ["rate_multiplier", "1"],
  ["billing_note", "NONE"],
  ...equal(false, ["is_stream", "exclude_from_budgets", "is_retried"]),
  ...equal("", [
    ...["user_id", "api_key_id", "provider", "target_model", "api_format", "error_message"],
    ...["provider_id", "provider_endpoint_id", "provider_api_key_id", "token_convention"],
    "operation_id",
  ]),
  ...equal(0, [...["input_tokens", "output_tokens", "cache_creation_tokens", "cache_read_tokens"]]),
  ...equal("0", [
    ...["cost_input", "cost_output", "cost_cache_creation", "cost_cache_read", "cost_request"],
    ...["actual_input", "actual_output", "actual_cache_creation", "actual_cache_read"],
    "actual_request",
  ]),
]);

function equal(value: unknown, columns: readonly string[]): [string, unknown][] {
  return columns.map((column) => [column, value]);
}

/** A row as JSON, without the columns that are blank or null. */
export function narrowJson(row: Readonly<Record<string, unknown>>): string {
  let text = "";
  for (const column in row) {
    const value = row[column];
    if (value === undefined || value === null || value === BLANK_COLUMNS.get(column)) continue;
    text += `${text === "" ? "{" : ","}"${column}":${jsonOf(value)}`;
  }
  return text === "" ? "{}" : `${text}}`;
}

function jsonOf(value: unknown): string {
  // Ids and decimals need no escapes: to find that out takes less than to ask the platform.
  if (typeof value === "string" && PLAIN.test(value)) return `"${value}"`;
  return JSON.stringify(value);
}

const PLAIN = /^[\w .:/@+-]*$/;

import { QuotaReason } from "../../gen/tally/v1/quota_checker_pb.js";
import type { UsageRecord } from "../../gen/tally/v1/usage_pb.js";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import type { SentRequest } from "./send-request.js";

/** Requests and list cost, nano-USD. */
export interface Spend {
  requests: number;
  costNanoUsd: bigint;
}

/** What traffic added up to, as the answers told; memory grows with users and models only. */
export interface TrafficTotals {
  /** Requests that were seen through, whatever became of them. */
  requests: number;
  /** Of those, recorded ones. */
  recorded: number;
  /** Checked, then given up before they were sent. */
  released: number;
  /** Neither recorded nor meant not to be: the server refused them. */
  lost: number;
  /** Recorded ones that had failed at the provider. */
  failed: number;
  /** Checks that were allowed beyond a SOFT limit. */
  warned: number;
  /** Recorded by outcome, "CREATED" for instance. */
  readonly outcomes: Map<string, number>;
  /** Denied checks by reason, "QUOTA_EXCEEDED" for instance. */
  readonly denials: Map<string, number>;
  readonly tokens: {
    input: bigint;
    output: bigint;
    cacheCreation: bigint;
    cacheRead: bigint;
  };
  /** List cost of all records, nano-USD. */
  costNanoUsd: bigint;
  readonly byModel: Map<string, Spend>;
  readonly byUser: Map<string, Spend>;
  /** The first errors, at most {@link MAX_ERRORS}. */
  readonly errors: string[];
}

/** How many errors are kept for people to read. */
export const MAX_ERRORS = 5;

/** Totals of nothing. */
export function createTrafficTotals(): TrafficTotals {
  return {
    requests: 0,
    recorded: 0,
    released: 0,
    lost: 0,
    failed: 0,
    warned: 0,
    outcomes: new Map(),
    denials: new Map(),
    tokens: { input: 0n, output: 0n, cacheCreation: 0n, cacheRead: 0n },
    costNanoUsd: 0n,
    byModel: new Map(),
    byUser: new Map(),
    errors: [],
  };
}

/** Adds what became of one request. */
export function addSentRequest(totals: TrafficTotals, sent: SentRequest): void {
  totals.requests += 1;
  if (sent.isWarned) totals.warned += 1;
  if (sent.deniedFor !== undefined) count(totals.denials, QuotaReason[sent.deniedFor]);
  if (sent.error !== undefined) {
    totals.lost += 1;
    const { codeName, message } = sent.error;
    if (totals.errors.length < MAX_ERRORS) {
      totals.errors.push(`${sent.request.requestId}: ${codeName}: ${message}`);
    }
  } else if (sent.recorded !== undefined) {
    totals.recorded += 1;
    if (sent.request.statusCode >= 400) totals.failed += 1;
    count(totals.outcomes, RecordOutcome[sent.recorded.outcome]);
    addRecord(totals, sent.recorded.record);
  } else if (sent.deniedFor === undefined) {
    totals.released += 1;
  }
}

function addRecord(totals: TrafficTotals, record: UsageRecord): void {
  const { tokens } = totals;
  tokens.input += record.inputTokens;
  tokens.output += record.outputTokens;
  tokens.cacheCreation += record.cacheCreationInputTokens;
  tokens.cacheRead += record.cacheReadInputTokens;
  const costNanoUsd = record.cost?.totalNanoUsd ?? 0n;
  totals.costNanoUsd += costNanoUsd;
  addSpend(totals.byModel, record.model, costNanoUsd);
  addSpend(totals.byUser, record.userId, costNanoUsd);
}

function addSpend(spends: Map<string, Spend>, key: string, costNanoUsd: bigint): void {
  const spend = spends.get(key) ?? { requests: 0, costNanoUsd: 0n };
  spend.requests += 1;
  spend.costNanoUsd += costNanoUsd;
  spends.set(key, spend);
}

function count(counts: Map<string, number>, key = "UNKNOWN"): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

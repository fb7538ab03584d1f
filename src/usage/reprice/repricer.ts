import { type RetryOptions, withRetry } from "../../database/retry.js";
import { DomainError, invalidField } from "../../errors.js";
import { CostOutOfRangeError } from "../../pricing/cost-breakdown.js";
import { formatMicroseconds } from "../time.js";
import type { UsageRecord } from "../usage-record.js";
import type { UsageReplacement } from "../usage-store.js";
import { addPage, NOTHING_REPRICED, type RepriceCounts } from "./reprice-result.js";
import {
  REPRICE_START,
  type RepriceParameters,
  type RepricePosition,
  type RepriceSession,
  type RepriceStore,
} from "./reprice-store.js";
import { type Repriced, type RepriceTerms, reprice } from "./repriced.js";

/** One repricing. */
export interface RepriceRequest {
  readonly parameters: RepriceParameters;
  /** Names it. Undefined: a dry run, which changes and keeps nothing. */
  readonly requestId: string | undefined;
  /** For the log of who changed what was charged. */
  readonly requestedBy: string;
  /** Ends it after the step that is under way. */
  readonly signal: AbortSignal;
}

/** How far a repricing has come. */
export interface RepriceProgress extends RepriceCounts {
  readonly isDone: boolean;
}

/** Prices finished records anew. */
export interface Repricer {
  /**
   * Tells its progress after every page, and at last that it is done. Whoever stops listening ends
   * it; what was done stays done, and the same request goes on from there.
   *
   * @throws DomainError TASK_UNDER_WAY while another repricing is under way, TASK_CONFLICT when the
   * id was used for another request; the signal's reason
   */
  reprice(request: RepriceRequest): AsyncGenerator<RepriceProgress>;
}

/** What a repricer is made of. */
export interface RepricerParts extends Omit<RepriceTerms, "useCurrentRateMultipliers"> {
  readonly store: RepriceStore;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}

/** Records of one step, which is one transaction: few enough that nobody waits long for it. */
const PAGE_SIZE = 256;

const DRY_PAGE_SIZE = 1_000;

/** A record changed between our reading and our writing. */
class RecordMovedError extends DomainError {
  constructor() {
    super("OVERLOADED", "a record keeps being changed elsewhere; try again");
  }
}

const STEP_ATTEMPTS: RetryOptions = {
  maxAttempts: 30,
  baseMs: 5,
  maxMs: 200,
  retryOn: (error) => error instanceof RecordMovedError,
};

/** Makes a repricer. */
export function createRepricer(parts: RepricerParts): Repricer {
  const { store } = parts;
  return {
    async *reprice(request) {
      if (request.requestId === undefined) {
        yield* runDry(parts, request);
        return;
      }
      const session = await store.open();
      if (!session) {
        throw new DomainError("TASK_UNDER_WAY", "a repricing is under way; there is one at a time");
      }
      try {
        yield* run(parts, session, { ...request, requestId: request.requestId });
      } finally {
        await session.close();
      }
    },
  };
}

async function* runDry(
  parts: RepricerParts,
  { parameters, signal }: RepriceRequest,
): AsyncGenerator<RepriceProgress> {
  let counts: RepriceCounts = NOTHING_REPRICED;
  for (let after = REPRICE_START; ; ) {
    signal.throwIfAborted();
    const records = await parts.store.readPage(parameters, after, DRY_PAGE_SIZE);
    counts = addPage(counts, priceAll(parts, parameters, records));
    const last = positionOf(records);
    yield { ...counts, isDone: last === undefined };
    if (last === undefined) return;
    after = last;
  }
}

async function* run(
  parts: RepricerParts,
  session: RepriceSession,
  request: RepriceRequest & { readonly requestId: string },
): AsyncGenerator<RepriceProgress> {
  const { requestId, parameters, requestedBy, signal } = request;
  const state = await session.begin(requestId, parameters, requestedBy);
  if (!state.isSameRequest) throw conflict(requestId);
  let { counts, position, isDone } = state;
  while (!isDone) {
    signal.throwIfAborted();
    const done = await step(parts, session, { ...request, counts, position });
    if (done) ({ counts, position } = done);
    else {
      await session.finish(requestId);
      isDone = true;
    }
    if (!isDone) yield { ...counts, isDone };
  }
  yield { ...counts, isDone };
}

interface StepStart {
  readonly requestId: string;
  readonly parameters: RepriceParameters;
  readonly counts: RepriceCounts;
  readonly position: RepricePosition;
  readonly signal: AbortSignal;
}

/**
 * Reprices one page. One of which a record changes between reading and writing is read anew, and
 * smaller, so that the others get on.
 *
 * @returns undefined when there are no more records
 */
function step(
  parts: RepricerParts,
  session: RepriceSession,
  { requestId, parameters, position: from, signal, counts: before }: StepStart,
): Promise<Pick<StepStart, "counts" | "position"> | undefined> {
  return withRetry(
    async (attempt) => {
      const limit = Math.max(1, PAGE_SIZE >> (attempt - 1));
      const records = await session.readPage(parameters, from, limit);
      const to = positionOf(records);
      if (to === undefined) return undefined;
      const page = priceAll(parts, parameters, records);
      const counts = addPage(before, page);
      const replacements = page.flatMap(toReplacement);
      if (!(await session.step({ requestId, from, to, counts, replacements }))) {
        throw new RecordMovedError();
      }
      return { counts, position: to };
    },
    { ...STEP_ATTEMPTS, signal },
  );
}

interface PricedRecord {
  readonly record: UsageRecord;
  readonly repriced: Repriced;
}

function toReplacement({ record, repriced }: PricedRecord): UsageReplacement[] {
  if (repriced.kind !== "CHANGED") return [];
  const { version: expectedVersion } = record;
  return [{ record: repriced.record, expectedVersion, holds: [], payload: undefined }];
}

function priceAll(
  { directory, pricing, nowUs }: RepricerParts,
  { useCurrentRateMultipliers }: RepriceParameters,
  records: readonly UsageRecord[],
): PricedRecord[] {
  const terms = { directory, pricing, useCurrentRateMultipliers };
  return records.map((record) => ({ record, repriced: priceOne(record, terms, nowUs()) }));
}

function priceOne(record: UsageRecord, terms: RepriceTerms, nowUs: number): Repriced {
  try {
    return reprice(record, terms, nowUs);
  } catch (error) {
    if (!(error instanceof CostOutOfRangeError)) throw error;
    throw invalidField("request_id", record.requestId, error.message);
  }
}

function positionOf(records: readonly UsageRecord[]): RepricePosition | undefined {
  const last = records.at(-1);
  return last && { time: formatMicroseconds(last.createTimeUs), requestId: last.requestId };
}

function conflict(requestId: string): DomainError {
  return new DomainError(
    "TASK_CONFLICT",
    `request_id: another repricing has this id (was "${requestId}")`,
    { resource: { type: "reprice", name: requestId } },
  );
}

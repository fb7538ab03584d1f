import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  SummaryPeriod as ProtoSummaryPeriod,
  UsageDimension as ProtoUsageDimension,
  UsageMeasure as ProtoUsageMeasure,
} from "../../gen/tally/v1/analytics_pb.js";
import { microsecondsOf } from "../usage/time.js";
import type { PeriodKind } from "./periods.js";
import type { Dimension, Measure, UsageFilters } from "./question.js";
import type { AskedRange } from "./time-range.js";

/** The fields that every request has. */
export interface ScopeFields extends UsageFilters {
  readonly startTime?: Timestamp | undefined;
  readonly endTime?: Timestamp | undefined;
  readonly hours: number;
  readonly timeZone: string;
}

/** The range, as far as it was told. */
export function fromProtoRange({ startTime, endTime, hours }: ScopeFields): AskedRange {
  return { startUs: toMicroseconds(startTime), endUs: toMicroseconds(endTime), hours };
}

function toMicroseconds(time: Timestamp | undefined): number | undefined {
  return time && microsecondsOf(time.seconds, time.nanos);
}

/** The filters, and nothing else. */
export function fromProtoFilters(fields: ScopeFields): UsageFilters {
  const { userId, apiKeyId, provider, model } = fields;
  return { userId, apiKeyId, provider, model };
}

const PERIODS: Readonly<Record<ProtoSummaryPeriod, PeriodKind>> = {
  [ProtoSummaryPeriod.UNSPECIFIED]: "DAY",
  [ProtoSummaryPeriod.HOUR]: "HOUR",
  [ProtoSummaryPeriod.DAY]: "DAY",
  [ProtoSummaryPeriod.WEEK]: "WEEK",
  [ProtoSummaryPeriod.MONTH]: "MONTH",
  [ProtoSummaryPeriod.TOTAL]: "TOTAL",
};

/** How long rows are. */
export function fromProtoPeriod(period: ProtoSummaryPeriod): PeriodKind {
  return PERIODS[period];
}

const DIMENSIONS: Readonly<Record<ProtoUsageDimension, Dimension>> = {
  [ProtoUsageDimension.UNSPECIFIED]: "MODEL",
  [ProtoUsageDimension.USER]: "USER",
  [ProtoUsageDimension.API_KEY]: "API_KEY",
  [ProtoUsageDimension.PROVIDER]: "PROVIDER",
  [ProtoUsageDimension.MODEL]: "MODEL",
  [ProtoUsageDimension.API_FORMAT]: "API_FORMAT",
  [ProtoUsageDimension.STATUS]: "STATUS",
  [ProtoUsageDimension.TAG]: "TAG",
};

/** A dimension; the contract's rules keep out the unspecified one. */
export function fromProtoDimension(dimension: ProtoUsageDimension): Dimension {
  return DIMENSIONS[dimension];
}

const MEASURES: Readonly<Record<ProtoUsageMeasure, Measure>> = {
  [ProtoUsageMeasure.UNSPECIFIED]: "COST",
  [ProtoUsageMeasure.COST]: "COST",
  [ProtoUsageMeasure.TOKENS]: "TOKENS",
  [ProtoUsageMeasure.REQUESTS]: "REQUESTS",
};

/** What comes first. */
export function fromProtoMeasure(measure: ProtoUsageMeasure): Measure {
  return MEASURES[measure];
}

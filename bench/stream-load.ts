import { create, toBinary } from "@bufbuild/protobuf";
import type pg from "pg";
import {
  type StreamRecordUsageRequest,
  StreamRecordUsageRequestSchema,
} from "../gen/tally/v1/usage_recorder_pb.js";
import { countRecords, requestOf } from "./record-load.js";
import { framed, runH2Load } from "./support/h2load.js";

const STREAM_RECORD_USAGE = "/tally.v1.UsageRecorder/StreamRecordUsage";

/** Gateways, each with one stream at a time, one after the other. */
const PROCESSES = 4;
const STREAMS_PER_PROCESS = 2;
const RECORDS_PER_STREAM = 5_000;

/**
 * Records a second over streams. h2load sends a call's messages as its body and reads the answers as
 * they come, so that this costs the client no more than unary calls do.
 */
export async function measureStreams(
  address: string,
  database: pg.Client,
  { omitRecord }: { readonly omitRecord: boolean },
): Promise<number> {
  const before = await countRecords(database);
  const { seconds } = await runH2Load({
    address,
    path: STREAM_RECORD_USAGE,
    bodies: Array.from({ length: PROCESSES }, (_, index) =>
      toBody(index * RECORDS_PER_STREAM, omitRecord),
    ),
    callsPerProcess: STREAMS_PER_PROCESS,
    concurrency: 1,
  });
  const recorded = (await countRecords(database)) - before;
  const sent = PROCESSES * STREAMS_PER_PROCESS * RECORDS_PER_STREAM;
  if (recorded !== sent) throw new Error(`${sent} sent, but ${recorded} records`);
  return recorded / seconds;
}

/** The messages of one stream, over all users. */
function toBody(first: number, omitRecord: boolean): Buffer {
  return Buffer.concat(
    Array.from({ length: RECORDS_PER_STREAM }, (_, index) =>
      framed(toMessage(index + 1, first + index, omitRecord)),
    ),
  );
}

function toMessage(sequence: number, index: number, omitRecord: boolean): Uint8Array {
  const message: StreamRecordUsageRequest = create(StreamRecordUsageRequestSchema, {
    sequence: BigInt(sequence),
    request: requestOf(index),
    omitRecord,
  });
  return toBinary(StreamRecordUsageRequestSchema, message);
}

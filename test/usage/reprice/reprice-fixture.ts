import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type RepriceRequestSchema,
  type RepriceResponse,
  RepriceResponseSchema,
} from "../../../gen/tally/v1/operations_pb.js";
import type { TestApp } from "../../support/app.js";

/** A request of Reprice as one writes it. */
export type RepriceInit = MessageInitShape<typeof RepriceRequestSchema>;

/** Calls Reprice. @returns its last message */
export async function reprice(
  { clients }: TestApp,
  request: RepriceInit,
): Promise<RepriceResponse> {
  let last = create(RepriceResponseSchema);
  for await (last of clients.operations.reprice(request));
  return last;
}

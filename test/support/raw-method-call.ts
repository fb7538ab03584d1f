import { type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import {
  Client,
  type ClientOptions,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import { toRpcError } from "../../src/client/rpc-error.js";

/** How a call was answered. */
export interface CallOutcome {
  /** A `google.rpc.Code`; 0 for a stream as soon as it sent something. */
  readonly code: number;
  /** The reason of a failure. */
  readonly reason: string | undefined;
  readonly message: string;
}

/** Calls any method of any service with one request. */
export interface AnyMethodCaller {
  call(method: DescMethod, request: Message, authorization?: string): Promise<CallOutcome>;
  close(): void;
}

const TIMEOUT_MS = 10_000;
const ANSWERED: CallOutcome = { code: 0, reason: undefined, message: "" };

/** One connection for all calls. */
export function createAnyMethodCaller(
  address: string,
  channel = credentials.createInsecure(),
  options: ClientOptions = {},
): AnyMethodCaller {
  const client = new Client(address, channel, options);
  const asIs = (bytes: Buffer) => bytes;
  return {
    call(method, request, authorization) {
      const metadata = new Metadata();
      if (authorization !== undefined) metadata.set("authorization", authorization);
      const path = `/${method.parent.typeName}/${method.name}`;
      const bytes = Buffer.from(toBinary(method.input, request));
      const deadline = Date.now() + TIMEOUT_MS;
      return new Promise((resolve) => {
        // All kinds of methods look the same on the wire; only how many messages follow differs.
        const call = client.makeBidiStreamRequest(path, asIs, asIs, metadata, { deadline });
        call.on("error", (error: ServiceError) => resolve(toOutcome(error)));
        call.on("status", ({ code }: StatusObject) => code === 0 && resolve(ANSWERED));
        call.on("data", () => {
          resolve(ANSWERED);
          if (method.methodKind !== "unary") call.cancel();
        });
        call.end(bytes);
      });
    },
    close: () => client.close(),
  };
}

function toOutcome(error: ServiceError): CallOutcome {
  const { code, reason, message } = toRpcError(error);
  return { code, reason, message };
}

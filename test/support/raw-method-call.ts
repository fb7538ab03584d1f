import { create, type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import {
  Client,
  type ClientOptions,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { toRpcError } from "../../src/client/rpc-error.js";

/** How a call was answered. */
export interface CallOutcome {
  /** A `google.rpc.Code`; 0 for a stream that was not refused, as soon as that is known. */
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
        if (method.methodKind !== "unary") {
          answerTwice(client).then(() => {
            resolve(ANSWERED);
            call.cancel();
          });
        }
      });
    },
    close: () => client.close(),
  };
}

/**
 * A stream may have nothing to say for long. Whoever is refused hears it at once, so that by the
 * time that later calls on the connection were answered, it would have been.
 */
async function answerTwice(client: Client): Promise<void> {
  const { input, name, parent } = Health.method.check;
  const path = `/${parent.typeName}/${name}`;
  const asIs = (bytes: Buffer) => bytes;
  const request = Buffer.from(toBinary(input, create(input)));
  for (let round = 0; round < 2; round += 1) {
    await new Promise((resolve) => client.makeUnaryRequest(path, asIs, asIs, request, resolve));
  }
}

function toOutcome(error: ServiceError): CallOutcome {
  const { code, reason, message } = toRpcError(error);
  return { code, reason, message };
}

import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { toRpcError } from "../../src/client/rpc-error.js";

/**
 * Calls a unary method with bytes as they are, for requests that no well-behaved client sends.
 *
 * @param path - "/tally.v1.UsageRecorder/RecordUsage"
 * @returns the bytes of the answer
 * @throws RpcError
 */
export async function callWithBytes(address: string, path: string, bytes: Buffer): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure());
  const asIs = (content: Buffer) => content;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      const finish = (error: ServiceError | null, answer?: Buffer) =>
        error === null ? resolve(answer as Buffer) : reject(toRpcError(error));
      client.makeUnaryRequest(path, asIs, asIs, bytes, finish);
    });
  } finally {
    client.close();
  }
}

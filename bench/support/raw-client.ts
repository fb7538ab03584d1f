import { Client, credentials } from "@grpc/grpc-js";

/** Calls a unary method with bytes and gets bytes, so that the client costs as little as it can. */
export interface RawClient {
  /** @throws ServiceError of grpc-js */
  call(message: Buffer): Promise<Buffer>;
  close(): void;
}

/** Makes a client on a connection of its own. */
export function createRawClient(address: string, path: string): RawClient {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
  });
  const same = (bytes: Buffer) => bytes;
  return {
    call: (message) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, same, same, message, (error, response) =>
          error ? reject(error) : resolve(response!),
        );
      }),
    close: () => client.close(),
  };
}

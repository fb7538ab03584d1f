import { RpcError } from "../../src/client/grpc-client.js";

/** The error that a call must end with. @throws when it ends well, or with another kind of error */
export async function rpcFailure(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => new Error("the call did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof RpcError) return error;
  throw error;
}

/**
 * A program: a plain grpc-js server whose CheckQuota does nothing but answer as many bytes as its
 * argument says, with the options of Tally's server. Prints "ready ADDRESS".
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";

const answer = Buffer.alloc(Number(process.argv[2]));
const same = (bytes: Buffer) => bytes;
const server = new Server({
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  "grpc.max_send_message_length": -1,
  "grpc.max_concurrent_streams": 1_000,
  "grpc-node.max_session_memory": 64,
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
});
server.addService(
  {
    checkQuota: {
      path: "/tally.v1.QuotaChecker/CheckQuota",
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  },
  {
    checkQuota: (_call: unknown, callback: (error: null, bytes: Buffer) => void) =>
      callback(null, answer),
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`ready 127.0.0.1:${port}\n`);
});

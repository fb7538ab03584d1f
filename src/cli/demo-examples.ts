import { DEMO_CALLERS } from "../traffic/demo-callers.js";

/** Commands that call the server, to be copied into another terminal. */
export function callExamples(address: string): string {
  const userId = DEMO_CALLERS[0]!.userId;
  const quota = JSON.stringify({ user_id: userId });
  const check = JSON.stringify({
    user_id: userId,
    model: "gpt-4o",
    provider: "openai",
    estimate: { input_tokens: 20_000, max_output_tokens: 2_000 },
  });
  const buf = "npx buf curl --protocol grpc --http2-prior-knowledge";
  return `
Still serving on ${address}. Try, in another terminal:

  grpcurl -plaintext ${address} list
  grpcurl -plaintext -d '${quota}' ${address} tally.v1.QuotaChecker/GetQuota
  ${buf} -d '${check}' http://${address}/tally.v1.QuotaChecker/CheckQuota
  ${buf} -d '{}' http://${address}/tally.v1.Operations/VerifyLedger

Ctrl-C ends it.
`;
}

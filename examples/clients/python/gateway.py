"""A gateway of one request, with an upstream that makes 100 tokens at a time.

    gateway.py REQUEST_ID USER_ID INPUT_TOKENS MAX_OUTPUT_TOKENS OUTPUT_TOKENS plain|stream

Prints how it ended as one line of JSON. Settings: TALLY_ADDRESS, TALLY_TOKEN, ON_UNAVAILABLE.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "gen"))

import grpc  # noqa: E402
from meter import GatewayRequest, Meter, MeterUnavailable, QuotaDenied, Settings  # noqa: E402
from tally.v1 import quota_checker_pb2, usage_recorder_pb2  # noqa: E402


def serve(meter, request, output_tokens):
    try:
        metered = meter.admit(request)
    except QuotaDenied as denied:
        reason = quota_checker_pb2.QuotaReason.Name(denied.answer.reason)
        return {"outcome": "denied", "reason": reason.removeprefix("QUOTA_REASON_")}
    except MeterUnavailable:
        return {"outcome": "unavailable"}
    tokens = stream(metered, output_tokens) if request.is_stream else output_tokens
    try:
        recorded = metered.record(tokens)
    except grpc.RpcError:
        return {"outcome": "unrecorded", "outputTokens": tokens}
    outcome = usage_recorder_pb2.RecordOutcome.Name(recorded.outcome)
    return {
        "outcome": "stopped" if tokens < output_tokens else "completed",
        "outputTokens": tokens,
        "costNanoUsd": str(recorded.record.cost.total_nano_usd),
        "record": outcome.removeprefix("RECORD_OUTCOME_"),
    }


def stream(metered, output_tokens):
    """How many tokens were let through to the caller."""
    try:
        metered.start()
    except grpc.RpcError:
        pass  # It is recorded all the same.
    sent = 0
    while sent < output_tokens and metered.progress(sent, 100):
        sent += 100
    return sent


def main():
    request_id, user_id, input_tokens, max_output_tokens, output_tokens, mode = sys.argv[1:]
    request = GatewayRequest(
        request_id=request_id,
        user_id=user_id,
        provider="example",
        model="example-model",
        input_tokens=int(input_tokens),
        max_output_tokens=int(max_output_tokens),
        is_stream=mode == "stream",
    )
    settings = Settings(on_unavailable=os.environ.get("ON_UNAVAILABLE", "deny"))
    with grpc.insecure_channel(os.environ.get("TALLY_ADDRESS", "127.0.0.1:50051")) as channel:
        meter = Meter(channel, os.environ.get("TALLY_TOKEN"), settings)
        print(json.dumps(serve(meter, request, int(output_tokens))))


if __name__ == "__main__":
    main()

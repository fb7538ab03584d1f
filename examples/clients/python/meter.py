"""What a gateway does for each request that it passes on, as docs/accounting.md advises.

Check and hold the estimate, tell of progress, extend or stop, and record until it is acknowledged.
"""

import random
import time
from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tally.v1 import (
    quota_checker_pb2,
    quota_checker_pb2_grpc,
    usage_pb2,
    usage_recorder_pb2,
    usage_recorder_pb2_grpc,
)

# Unknown whether it was done, or not done for now: the same call again is right.
REPEATED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}


@dataclass(frozen=True)
class Settings:
    #: What becomes of a request that nobody can check: "allow" lets it pass and records it.
    on_unavailable: str = "deny"
    #: How often a call is sent before it is given up.
    attempts: int = 4
    #: How long one attempt may take, in seconds.
    timeout: float = 2.0
    heartbeat_interval: float = 10.0
    reservation_ttl: int = 600


@dataclass(frozen=True)
class GatewayRequest:
    """A request as the gateway knows it before it is sent upstream."""

    #: Its own, and the same in all calls about it: that is what makes them safe to repeat.
    request_id: str
    user_id: str
    provider: str
    model: str
    input_tokens: int
    max_output_tokens: int
    is_stream: bool


class QuotaDenied(Exception):
    """The caller may not spend this now."""

    def __init__(self, answer):
        super().__init__(answer.message)
        self.answer = answer


class MeterUnavailable(Exception):
    """Nobody could be asked, and the policy is to deny."""


class Meter:
    """One for each channel; safe to share between threads."""

    def __init__(self, channel, token=None, settings=Settings()):
        self.settings = settings
        self.quota = quota_checker_pb2_grpc.QuotaCheckerStub(channel)
        self.recorder = usage_recorder_pb2_grpc.UsageRecorderStub(channel)
        self.metadata = [("authorization", f"Bearer {token}")] if token else []

    def call(self, method, request):
        return method(request, timeout=self.settings.timeout, metadata=self.metadata)

    def repeat(self, method, request):
        for attempt in range(1, self.settings.attempts + 1):
            try:
                return self.call(method, request)
            except grpc.RpcError as error:
                if error.code() not in REPEATED or attempt == self.settings.attempts:
                    raise
                time.sleep(_wait(error, attempt))

    def admit(self, request):
        """Holds the estimate and returns a MeteredRequest. Raises QuotaDenied, MeterUnavailable."""
        check = quota_checker_pb2.CheckQuotaRequest(
            request_id=request.request_id,
            user_id=request.user_id,
            provider=request.provider,
            model=request.model,
            estimate=_estimate(request, request.max_output_tokens),
            reserve=True,
            reservation_ttl=Duration(seconds=self.settings.reservation_ttl),
        )
        try:
            answer = self.repeat(self.quota.CheckQuota, check)
        except grpc.RpcError as error:
            if error.code() not in REPEATED:
                raise
            if self.settings.on_unavailable == "deny":
                raise MeterUnavailable(error.details()) from error
            return MeteredRequest(self, request, "")
        if not answer.allowed:
            raise QuotaDenied(answer)
        return MeteredRequest(self, request, answer.reservation_id)


class MeteredRequest:
    """A request that may be sent upstream. Used by one thread."""

    def __init__(self, meter, request, reservation_id):
        self._meter = meter
        self._request = request
        self._reservation_id = reservation_id
        self._covered = request.max_output_tokens
        self._start = self._extended = time.monotonic()
        self._heartbeat = None
        self._first_byte_time_ms = None

    def start(self):
        """Shows it among the requests under way; the heartbeats of `progress` keep it there."""
        usage = usage_pb2.UsageInput(
            request_id=self._request.request_id,
            user_id=self._request.user_id,
            model=self._request.model,
            is_stream=self._request.is_stream,
        )
        self._meter.repeat(
            self._meter.recorder.StartUsage,
            usage_recorder_pb2.StartUsageRequest(usage=usage, reservation_id=self._reservation_id),
        )

    def progress(self, output_tokens, next_tokens):
        """Before the next tokens are let through. False: the funds end, stop here and record."""
        now = time.monotonic()
        settings = self._meter.settings
        if self._first_byte_time_ms is None:
            self._first_byte_time_ms = int((now - self._start) * 1000)
        if self._heartbeat is None or now - self._heartbeat >= settings.heartbeat_interval:
            self._heartbeat = now
            self._send_heartbeat(output_tokens)
        if not self._reservation_id:
            return True
        needed = output_tokens + next_tokens
        if needed > self._covered:
            # Seldom, by asking for twice as much; where that is too much, for what is needed.
            return self._extend(self._covered + needed) or self._extend(needed)
        return now - self._extended < settings.reservation_ttl / 2 or self._extend(self._covered)

    def record(self, output_tokens):
        """Settles. If it raises, keep the usage and record it later: the id makes that safe."""
        usage = usage_pb2.UsageInput(
            request_id=self._request.request_id,
            user_id=self._request.user_id,
            provider=self._request.provider,
            model=self._request.model,
            is_stream=self._request.is_stream,
            input_tokens=self._request.input_tokens,
            output_tokens=output_tokens,
            response_time_ms=int((time.monotonic() - self._start) * 1000),
            first_byte_time_ms=self._first_byte_time_ms,
        )
        return self._meter.repeat(
            self._meter.recorder.RecordUsage,
            usage_recorder_pb2.RecordUsageRequest(usage=usage, reservation_id=self._reservation_id),
        )

    def release(self):
        """Instead of `record`, when nothing was sent upstream."""
        if self._reservation_id:
            self._meter.repeat(
                self._meter.quota.ReleaseReservation,
                quota_checker_pb2.ReleaseReservationRequest(reservation_id=self._reservation_id),
            )

    def _send_heartbeat(self, output_tokens):
        update = usage_recorder_pb2.UpdateUsageStatusRequest(
            request_id=self._request.request_id,
            status=usage_pb2.USAGE_STATUS_STREAMING,
            provider=self._request.provider,
            first_byte_time_ms=self._first_byte_time_ms,
            output_tokens_so_far=output_tokens,
        )
        try:
            self._meter.call(self._meter.recorder.UpdateUsageStatus, update)
        except grpc.RpcError:
            pass  # A heartbeat that is lost is made up for by the next.

    def _extend(self, output_tokens):
        """Whether the reservation holds that much now; it stays as it was if not."""
        answer = self._meter.repeat(
            self._meter.quota.ExtendReservation,
            quota_checker_pb2.ExtendReservationRequest(
                reservation_id=self._reservation_id,
                provider=self._request.provider,
                model=self._request.model,
                estimate=_estimate(self._request, output_tokens),
                reservation_ttl=Duration(seconds=self._meter.settings.reservation_ttl),
            ),
        )
        if answer.allowed:
            self._reservation_id = answer.reservation_id
            self._covered = output_tokens
            self._extended = time.monotonic()
        return answer.allowed


def _estimate(request, max_output_tokens):
    return quota_checker_pb2.TokenEstimate(
        input_tokens=request.input_tokens, max_output_tokens=max_output_tokens
    )


def _wait(error, attempt):
    """As long as the server asks for, else 100 ms, doubled each time; a part of it by chance."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        asked = error_details_pb2.RetryInfo()
        if detail.Unpack(asked):
            return asked.retry_delay.ToTimedelta().total_seconds()
    return 0.1 * 2 ** (attempt - 1) * random.uniform(0.5, 1)

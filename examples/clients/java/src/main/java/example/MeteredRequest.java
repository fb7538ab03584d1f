package example;

import io.grpc.StatusRuntimeException;
import java.util.concurrent.TimeUnit;
import tally.v1.QuotaCheckerOuterClass.ExtendReservationRequest;
import tally.v1.QuotaCheckerOuterClass.ReleaseReservationRequest;
import tally.v1.Usage.UsageInput;
import tally.v1.Usage.UsageStatus;
import tally.v1.UsageRecorderOuterClass.RecordUsageRequest;
import tally.v1.UsageRecorderOuterClass.RecordUsageResponse;
import tally.v1.UsageRecorderOuterClass.StartUsageRequest;
import tally.v1.UsageRecorderOuterClass.UpdateUsageStatusRequest;

/** A request that may be sent upstream. Used by one thread. */
public final class MeteredRequest {
  private final Meter meter;
  private final Meter.Request request;
  private final long startMs = nowMs();
  private String reservationId;
  private long covered;
  private long extendedMs = startMs;
  private Long heartbeatMs;
  private Long firstByteTimeMs;

  MeteredRequest(Meter meter, Meter.Request request, String reservationId) {
    this.meter = meter;
    this.request = request;
    this.reservationId = reservationId;
    this.covered = request.maxOutputTokens();
  }

  /** Shows it among the requests under way; the heartbeats of {@link #progress} keep it there. */
  public void start() {
    var start =
        StartUsageRequest.newBuilder()
            .setUsage(usage())
            .setReservationId(reservationId)
            .build();
    meter.repeat(() -> meter.recorder().startUsage(start));
  }

  /** Before the next tokens are let through; false: the funds end, stop here and record. */
  public boolean progress(long outputTokens, long nextTokens) {
    long nowMs = nowMs();
    if (firstByteTimeMs == null) {
      firstByteTimeMs = nowMs - startMs;
    }
    if (heartbeatMs == null || nowMs - heartbeatMs >= meter.settings.heartbeatMs()) {
      heartbeatMs = nowMs;
      sendHeartbeat(outputTokens);
    }
    if (reservationId.isEmpty()) {
      return true;
    }
    long needed = outputTokens + nextTokens;
    if (needed > covered) {
      // Seldom, by asking for twice as much; where that is too much, for what is needed.
      return extend(covered + needed) || extend(needed);
    }
    long halfMs = meter.settings.reservationTtlSeconds() * 500;
    return nowMs - extendedMs < halfMs || extend(covered);
  }

  /** Settles. If it throws, keep the usage and record it later: the id makes that safe. */
  public RecordUsageResponse record(long outputTokens) {
    var usage =
        usage()
            .setProvider(request.provider())
            .setInputTokens(request.inputTokens())
            .setOutputTokens(outputTokens)
            .setResponseTimeMs(nowMs() - startMs);
    if (firstByteTimeMs != null) {
      usage.setFirstByteTimeMs(firstByteTimeMs);
    }
    var record =
        RecordUsageRequest.newBuilder().setUsage(usage).setReservationId(reservationId).build();
    return meter.repeat(() -> meter.recorder().recordUsage(record));
  }

  /** Instead of {@link #record}, when nothing was sent upstream. */
  public void release() {
    if (reservationId.isEmpty()) {
      return;
    }
    var release = ReleaseReservationRequest.newBuilder().setReservationId(reservationId).build();
    meter.repeat(() -> meter.quota().releaseReservation(release));
  }

  private UsageInput.Builder usage() {
    return UsageInput.newBuilder()
        .setRequestId(request.id())
        .setUserId(request.userId())
        .setModel(request.model())
        .setIsStream(request.isStream());
  }

  private void sendHeartbeat(long outputTokens) {
    var update =
        UpdateUsageStatusRequest.newBuilder()
            .setRequestId(request.id())
            .setStatus(UsageStatus.USAGE_STATUS_STREAMING)
            .setProvider(request.provider())
            .setFirstByteTimeMs(firstByteTimeMs)
            .setOutputTokensSoFar(outputTokens)
            .build();
    try {
      meter.recorder().updateUsageStatus(update);
    } catch (StatusRuntimeException lost) {
      // The next one makes up for it.
    }
  }

  /** Whether the reservation holds that much now; it stays as it was if not. */
  private boolean extend(long outputTokens) {
    var extension =
        ExtendReservationRequest.newBuilder()
            .setReservationId(reservationId)
            .setProvider(request.provider())
            .setModel(request.model())
            .setEstimate(request.estimate(outputTokens))
            .setReservationTtl(meter.reservationTtl())
            .build();
    var answer = meter.repeat(() -> meter.quota().extendReservation(extension));
    if (!answer.getAllowed()) {
      return false;
    }
    reservationId = answer.getReservationId();
    covered = outputTokens;
    extendedMs = nowMs();
    return true;
  }

  private static long nowMs() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
  }
}

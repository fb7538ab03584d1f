package example;

import com.google.protobuf.Duration;
import com.google.rpc.RetryInfo;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import tally.v1.QuotaCheckerGrpc;
import tally.v1.QuotaCheckerGrpc.QuotaCheckerBlockingStub;
import tally.v1.QuotaCheckerOuterClass.CheckQuotaRequest;
import tally.v1.QuotaCheckerOuterClass.CheckQuotaResponse;
import tally.v1.QuotaCheckerOuterClass.TokenEstimate;
import tally.v1.UsageRecorderGrpc;
import tally.v1.UsageRecorderGrpc.UsageRecorderBlockingStub;

/**
 * What a gateway does for each request that it passes on, as docs/accounting.md advises: check and
 * hold the estimate, tell of progress, extend or stop, and record until it is acknowledged. Made
 * once for a channel; safe to share between threads.
 */
public final class Meter {
  /** Unknown whether it was done, or not done for now: the same call again is right. */
  private static final Set<Status.Code> REPEATED =
      EnumSet.of(
          Status.Code.UNAVAILABLE,
          Status.Code.RESOURCE_EXHAUSTED,
          Status.Code.DEADLINE_EXCEEDED,
          Status.Code.ABORTED);

  /**
   * @param allowUnchecked lets a request pass that nobody can check; it is recorded all the same
   * @param attempts how often a call is sent before it is given up
   * @param timeoutMs how long one attempt may take
   */
  public record Settings(
      boolean allowUnchecked,
      int attempts,
      long timeoutMs,
      long heartbeatMs,
      long reservationTtlSeconds) {
    public static Settings withPolicy(boolean allowUnchecked) {
      return new Settings(allowUnchecked, 4, 2_000, 10_000, 600);
    }
  }

  /**
   * A request as the gateway knows it before it is sent upstream.
   *
   * @param id its own, and the same in all calls about it: that makes them safe to repeat
   */
  public record Request(
      String id,
      String userId,
      String provider,
      String model,
      long inputTokens,
      long maxOutputTokens,
      boolean isStream) {
    TokenEstimate estimate(long outputTokens) {
      return TokenEstimate.newBuilder()
          .setInputTokens(inputTokens)
          .setMaxOutputTokens(outputTokens)
          .build();
    }
  }

  /** The caller may not spend this now. */
  public static final class DeniedException extends Exception {
    public final transient CheckQuotaResponse answer;

    DeniedException(CheckQuotaResponse answer) {
      super(answer.getMessage());
      this.answer = answer;
    }
  }

  /** Nobody could be asked, and the policy is to deny. */
  public static final class UnavailableException extends Exception {
    UnavailableException(StatusRuntimeException cause) {
      super(cause);
    }
  }

  final Settings settings;
  private final QuotaCheckerBlockingStub quota;
  private final UsageRecorderBlockingStub recorder;

  public Meter(Channel channel, Settings settings) {
    this.settings = settings;
    this.quota = QuotaCheckerGrpc.newBlockingStub(channel);
    this.recorder = UsageRecorderGrpc.newBlockingStub(channel);
  }

  /** Holds the estimate. */
  public MeteredRequest admit(Request request) throws DeniedException, UnavailableException {
    var check =
        CheckQuotaRequest.newBuilder()
            .setRequestId(request.id())
            .setUserId(request.userId())
            .setProvider(request.provider())
            .setModel(request.model())
            .setEstimate(request.estimate(request.maxOutputTokens()))
            .setReserve(true)
            .setReservationTtl(reservationTtl())
            .build();
    CheckQuotaResponse answer;
    try {
      answer = repeat(() -> quota().checkQuota(check));
    } catch (StatusRuntimeException failure) {
      if (!isRepeated(failure)) {
        throw failure;
      }
      if (!settings.allowUnchecked()) {
        throw new UnavailableException(failure);
      }
      return new MeteredRequest(this, request, "");
    }
    if (!answer.getAllowed()) {
      throw new DeniedException(answer);
    }
    return new MeteredRequest(this, request, answer.getReservationId());
  }

  QuotaCheckerBlockingStub quota() {
    return quota.withDeadlineAfter(settings.timeoutMs(), TimeUnit.MILLISECONDS);
  }

  UsageRecorderBlockingStub recorder() {
    return recorder.withDeadlineAfter(settings.timeoutMs(), TimeUnit.MILLISECONDS);
  }

  Duration reservationTtl() {
    return Duration.newBuilder().setSeconds(settings.reservationTtlSeconds()).build();
  }

  /** Makes the call, and makes it again as long as that is right and may help. */
  <T> T repeat(Supplier<T> call) {
    for (int attempt = 1; ; attempt++) {
      try {
        return call.get();
      } catch (StatusRuntimeException failure) {
        if (!isRepeated(failure) || attempt == settings.attempts()) {
          throw failure;
        }
        pause(waitMs(failure, attempt), failure);
      }
    }
  }

  private static boolean isRepeated(StatusRuntimeException failure) {
    return REPEATED.contains(failure.getStatus().getCode());
  }

  /** As long as the server asks for, else 100 ms, doubled each time; a part of it by chance. */
  private static long waitMs(StatusRuntimeException failure, int attempt) {
    var status = StatusProto.fromThrowable(failure);
    if (status != null) {
      for (var detail : status.getDetailsList()) {
        if (detail.is(RetryInfo.class)) {
          try {
            var asked = detail.unpack(RetryInfo.class).getRetryDelay();
            return asked.getSeconds() * 1000 + asked.getNanos() / 1_000_000;
          } catch (com.google.protobuf.InvalidProtocolBufferException unreadable) {
            break;
          }
        }
      }
    }
    long longest = 100L << (attempt - 1);
    return ThreadLocalRandom.current().nextLong(longest / 2, longest);
  }

  private static void pause(long waitMs, StatusRuntimeException failure) {
    try {
      Thread.sleep(waitMs);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw failure;
    }
  }
}

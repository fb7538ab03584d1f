package example;

import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;

/**
 * A gateway of one request, with an upstream that makes 100 tokens at a time:
 *
 * <pre>Gateway REQUEST_ID USER_ID INPUT_TOKENS MAX_OUTPUT_TOKENS OUTPUT_TOKENS plain|stream</pre>
 *
 * <p>Prints how it ended as one line of JSON. Settings: TALLY_ADDRESS, TALLY_TOKEN, ON_UNAVAILABLE.
 */
public final class Gateway {
  private Gateway() {}

  public static void main(String[] args) {
    var environment = System.getenv();
    var address = environment.getOrDefault("TALLY_ADDRESS", "127.0.0.1:50051");
    var channel = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build();
    try {
      var allowUnchecked = "allow".equals(environment.get("ON_UNAVAILABLE"));
      var settings = Meter.Settings.withPolicy(allowUnchecked);
      var meter = new Meter(withToken(channel, environment.get("TALLY_TOKEN")), settings);
      var request =
          new Meter.Request(
              args[0],
              args[1],
              "example",
              "example-model",
              Long.parseLong(args[2]),
              Long.parseLong(args[3]),
              args[5].equals("stream"));
      System.out.println(serve(meter, request, Long.parseLong(args[4])));
    } finally {
      channel.shutdownNow();
    }
  }

  private static String serve(Meter meter, Meter.Request request, long output) {
    MeteredRequest metered;
    try {
      metered = meter.admit(request);
    } catch (Meter.DeniedException denied) {
      var reason = denied.answer.getReason().name().replace("QUOTA_REASON_", "");
      return "{\"outcome\": \"denied\", \"reason\": \"%s\"}".formatted(reason);
    } catch (Meter.UnavailableException unavailable) {
      return "{\"outcome\": \"unavailable\"}";
    }
    long sent = request.isStream() ? stream(metered, output) : output;
    try {
      var recorded = metered.record(sent);
      return "{\"outcome\": \"%s\", \"outputTokens\": %d, \"costNanoUsd\": \"%d\", \"record\": \"%s\"}"
          .formatted(
              sent < output ? "stopped" : "completed",
              sent,
              recorded.getRecord().getCost().getTotalNanoUsd(),
              recorded.getOutcome().name().replace("RECORD_OUTCOME_", ""));
    } catch (StatusRuntimeException failure) {
      return "{\"outcome\": \"unrecorded\", \"outputTokens\": %d}".formatted(sent);
    }
  }

  /** How many tokens were let through to the caller. */
  private static long stream(MeteredRequest metered, long output) {
    try {
      metered.start();
    } catch (StatusRuntimeException failure) {
      // It is recorded all the same.
    }
    long sent = 0;
    while (sent < output && metered.progress(sent, 100)) {
      sent += 100;
    }
    return sent;
  }

  private static Channel withToken(Channel channel, String token) {
    if (token == null) {
      return channel;
    }
    var headers = new Metadata();
    var key = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    headers.put(key, "Bearer " + token);
    return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers));
  }
}

import { constants, type ServerHttp2Session } from "node:http2";
import type { ServerLimits } from "./limits.js";

/** How long pings are counted, in seconds. */
const PING_WINDOW_S = 10;

const HIGHEST_STREAM_ID = 2 ** 31 - 1;

/** Cuts off a client of HTTP/2 that only keeps the server busy. */
export function watchPings(session: ServerHttp2Session, maxPingsPerSecond: number): void {
  const allowed = maxPingsPerSecond * PING_WINDOW_S;
  let count = 0;
  let windowEndsMs = 0;
  session.on("ping", () => {
    const nowMs = performance.now();
    if (nowMs >= windowEndsMs) {
      windowEndsMs = nowMs + PING_WINDOW_S * 1_000;
      count = 0;
    }
    count += 1;
    if (count <= allowed) return;
    // Without an error Node would tell the client another code than this.
    session.destroy(new Error("too many pings"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
}

/** Asks the client to begin no new calls here; those that it has begun without knowing are taken. */
export function announceEnd(session: ServerHttp2Session): void {
  if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, HIGHEST_STREAM_ID);
}

/** Ends a connection of HTTP/2 when its peer does not answer any more, and when it is too old. */
export function limitSession(session: ServerHttp2Session, limits: ServerLimits): void {
  watchPings(session, limits.maxPingsPerSecond);
  const timers = new Set([keepAlive(session, limits)]);
  if (limits.maxConnectionAgeMs > 0) {
    const old = setTimeout(() => {
      announceEnd(session);
      session.close();
      timers.add(setTimeout(() => session.destroy(), limits.connectionAgeGraceMs).unref());
    }, withJitter(limits.maxConnectionAgeMs));
    timers.add(old.unref());
  }
  session.once("close", () => {
    for (const timer of timers) clearTimeout(timer);
  });
}

/** Pings a connection over and over; one whose peer is gone without a word is destroyed. */
function keepAlive(
  session: ServerHttp2Session,
  { keepaliveTimeMs, keepaliveTimeoutMs }: ServerLimits,
): NodeJS.Timeout {
  const timer = setInterval(() => {
    if (session.destroyed) return;
    const overdue = setTimeout(() => session.destroy(), keepaliveTimeoutMs).unref();
    const isSent = session.ping(() => clearTimeout(overdue));
    if (!isSent) clearTimeout(overdue);
  }, keepaliveTimeMs);
  return timer.unref();
}

/** Up to a tenth more or less, so that clients which came together do not come back together. */
export function withJitter(timeMs: number): number {
  return timeMs * (0.9 + Math.random() * 0.2);
}

import type { IncomingMessage as Http1Request, ServerResponse as Http1Response } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import type { CallerCertificate } from "../caller.js";
import { notedCertificate } from "./caller-certificate.js";
import type { TransportCall } from "./context.js";

/** A request of HTTP/1.1 or HTTP/2. */
export type HttpRequest = Http1Request | Http2ServerRequest;

/** What answers it. */
export type HttpResponse = Http1Response | Http2ServerResponse;

/** The longest wait that a timer of Node can hold. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One call by HTTP, as a context asks about it. */
export class HttpCall implements TransportCall {
  /** Set when the answer is given: what happens to the connection then cancels nothing. */
  answered = false;
  private isOver = false;
  private readonly listeners: (() => void)[] = [];
  private readonly timer: NodeJS.Timeout | undefined;

  /** @param deadline - milliseconds since the epoch; Infinity for none. */
  constructor(
    readonly request: HttpRequest,
    response: HttpResponse,
    private readonly deadline: number,
  ) {
    response.once("close", () => this.end());
    // An aborted request would end the process, if nobody listened.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    if (Number.isFinite(deadline)) {
      const waitMs = Math.min(Math.max(deadline - Date.now(), 0), MAX_TIMER_MS);
      this.timer = setTimeout(() => this.end(), waitMs);
    }
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === "object" ? value[0] : value;
  }

  certificate(): CallerCertificate | undefined {
    return notedCertificate(socketOf(this.request));
  }

  peer(): string {
    const socket: Partial<Socket> | undefined = this.request.socket;
    const address = socket?.remoteAddress;
    return address === undefined ? "unknown" : `${address}:${socket?.remotePort}`;
  }

  deadlineMs(): number {
    return this.deadline;
  }

  isCancelled(): boolean {
    return this.isOver && !this.answered;
  }

  onEnd(listener: () => void): void {
    if (this.isOver) listener();
    else this.listeners.push(listener);
  }

  private end(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.timer);
    for (const listener of this.listeners.splice(0)) listener();
  }
}

/** The socket itself: the one that HTTP/2 requests show hides what was noted of it. */
function socketOf(request: HttpRequest): object | undefined {
  return "stream" in request ? request.stream.session?.socket : request.socket;
}

import { randomUUID } from "node:crypto";
import type { Message } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { Code } from "../../gen/google/rpc/code_pb.js";
import type { Status } from "../../gen/google/rpc/status_pb.js";
import type { Authenticator, Credentials, Identity } from "../caller.js";
import { cancelled, type DomainError, deadlineExceeded, shuttingDown } from "../errors.js";
import type { CallObservation, CallObserver, ObservedCall } from "./call-observer.js";
import { type ErrorClassifier, toDomainError, toStatus } from "./errors.js";
import type { FailureLog } from "./failure-log.js";
import type { DeadlineLimits } from "./limits.js";
import type { Admission } from "./limits-admission.js";

/** What a handler knows about the call that it answers. */
export interface CallContext {
  /** Service and method: "tally.v1.QuotaChecker/CheckQuota". */
  readonly method: string;
  /** The caller's `x-request-id`, or one made for this call. */
  readonly requestId: string;
  /**
   * Aborts when the caller went away or the deadline passed, and for streaming calls also when
   * the server begins to stop. Its reason is a DomainError.
   */
  readonly signal: AbortSignal;
  /** When the caller stops waiting. Undefined: never. */
  readonly deadline: Date | undefined;
  /** Writes the request id and the method with every line. */
  readonly logger: Logger;
  /** Address of the caller, "127.0.0.1:4711", or "unknown". */
  readonly peer: string;
  /**
   * Who calls. A call of a public method, such as health, has somebody only when it shows
   * credentials.
   * @throws DomainError when nobody is known who calls
   */
  readonly identity: Identity;
  /** A header of the request by its lower-case name; the first, when it came repeatedly. */
  header(name: string): string | undefined;
  /**
   * The public form of an error, for one item of a batch. The cause of a defect, or of a
   * database that is away, is logged.
   */
  toStatus(error: unknown): Status;
  /**
   * Who calls, looked up anew: a stream may outlive what its caller was allowed.
   * @throws DomainError when the credentials were revoked or expired since
   */
  identify(): Identity;
  /** @throws DomainError when nobody waits for the answer any more. */
  throwIfOver(): void;
}

/** What a transport knows about one call. Everything is asked for only when it is needed. */
export interface TransportCall extends Credentials {
  peer(): string;
  /** Milliseconds since the epoch; Infinity for none. */
  deadlineMs(): number;
  /** Whether the caller went away, or the deadline passed, before the call was answered. */
  isCancelled(): boolean;
  /** Calls the listener once when the call is over, answered or cancelled. */
  onEnd(listener: () => void): void;
}

/** What all calls of a server have in common. */
export interface ServerContext {
  readonly logger: Logger;
  readonly failures: FailureLog;
  readonly classify: ErrorClassifier | undefined;
  readonly authenticator: Authenticator;
  /** Hears of every call; undefined: nobody does. */
  readonly observer?: CallObserver | undefined;
  /** Aborts when the server begins to stop. */
  readonly draining: AbortSignal;
  readonly deadlines: DeadlineLimits;
  /** Told of calls that wait; undefined: nobody counts them. */
  readonly admission: Pick<Admission, "begin" | "end"> | undefined;
}

/** Visible ASCII, so that a caller cannot break log lines or headers with it. */
const SANE_REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The context of one call; what a handler does not ask for is never made. */
export class LazyCallContext implements CallContext, ObservedCall {
  private cachedRequestId: string | undefined;
  private cachedLogger: Logger | undefined;
  private cachedIdentity: Identity | undefined;
  private controller: AbortController | undefined;
  private readonly observation: CallObservation | undefined;

  constructor(
    readonly method: string,
    private readonly call: TransportCall,
    private readonly server: ServerContext,
    readonly isStreaming: boolean,
  ) {
    this.observation = server.observer?.begin(this);
  }

  get requestId(): string {
    if (this.cachedRequestId === undefined) {
      const given = this.call.header("x-request-id");
      this.cachedRequestId =
        given !== undefined && SANE_REQUEST_ID.test(given) ? given : randomUUID();
    }
    return this.cachedRequestId;
  }

  get logger(): Logger {
    this.cachedLogger ??= this.server.logger.child({
      requestId: this.requestId,
      method: this.method,
    });
    return this.cachedLogger;
  }

  get identity(): Identity {
    return this.cachedIdentity ?? this.identify();
  }

  get knownIdentity(): Identity | undefined {
    return this.cachedIdentity;
  }

  get deadline(): Date | undefined {
    const deadlineMs = this.call.deadlineMs();
    return Number.isFinite(deadlineMs) ? new Date(deadlineMs) : undefined;
  }

  get peer(): string {
    return this.call.peer();
  }

  get signal(): AbortSignal {
    this.controller ??= this.createController();
    return this.controller.signal;
  }

  header(name: string): string | undefined {
    return this.call.header(name);
  }

  identify(): Identity {
    this.cachedIdentity = this.server.authenticator.authenticate(this.call);
    return this.cachedIdentity;
  }

  toStatus(error: unknown): Status {
    return this.explain(error).status;
  }

  throwIfOver(): void {
    if (this.call.deadlineMs() <= Date.now()) throw deadlineExceeded();
    if (this.call.isCancelled()) throw cancelled();
  }

  /** The request of a unary call, for those who look at calls. @returns it as it is */
  noteRequest<T extends Message>(request: T): T {
    this.observation?.noteRequest?.(request);
    return request;
  }

  /** The call is answered well. To be told before the transport has it for answered. */
  succeed(): void {
    if (this.observation === undefined) return;
    // Whoever has gone meanwhile does not hear the answer.
    const code = this.call.isCancelled() ? this.cancelCode() : Code.OK;
    this.observation.end(code, undefined);
  }

  /** The call is answered with the error. @returns its public form, as `toStatus` makes it */
  fail(error: unknown): Status {
    const { domainError, status } = this.explain(error);
    this.observation?.end(status.code, domainError);
    return status;
  }

  private explain(error: unknown): { domainError: DomainError; status: Status } {
    const domainError = toDomainError(error, this.requestId, this.server.classify);
    this.server.failures.report(domainError, this.server.logger, () => this.logger);
    return { domainError, status: toStatus(domainError, this.requestId) };
  }

  private createController(): AbortController {
    const controller = new AbortController();
    const abortIfCancelled = () => {
      if (this.call.isCancelled()) controller.abort(this.cancelReason());
    };
    abortIfCancelled();
    this.call.onEnd(abortIfCancelled);
    if (this.isStreaming) this.abortOnDrain(controller);
    return controller;
  }

  private abortOnDrain(controller: AbortController): void {
    const { draining } = this.server;
    const abort = () => controller.abort(shuttingDown());
    if (draining.aborted) abort();
    draining.addEventListener("abort", abort, { once: true });
    // A server outlives its calls: without this it would hold on to all of them.
    this.call.onEnd(() => draining.removeEventListener("abort", abort));
  }

  private cancelCode(): Code {
    return this.call.deadlineMs() <= Date.now() ? Code.DEADLINE_EXCEEDED : Code.CANCELLED;
  }

  private cancelReason(): DomainError {
    return this.call.deadlineMs() <= Date.now() ? deadlineExceeded() : cancelled();
  }
}

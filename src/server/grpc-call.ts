import { toBinary } from "@bufbuild/protobuf";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.js";
import type { CallerCertificate } from "../caller.js";
import { notedCertificate } from "./caller-certificate.js";
import type { TransportCall } from "./context.js";
import { type DeadlineLimits, deadlineWithin } from "./limits.js";

/** Trailer that carries a `google.rpc.Status`, details included, beside code and message. */
export const STATUS_DETAILS_KEY = "grpc-status-details-bin";

/** The parts that all kinds of calls of grpc-js have in common. */
export interface ServerCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getPeer(): string;
  getDeadline(): Date | number;
  once(event: "cancelled", listener: () => void): unknown;
}

/** One call of grpc-js, as a context asks about it. */
export class GrpcCall implements TransportCall {
  /** Set when the answer is given: grpc-js reports the end of every call as a cancellation. */
  answered = false;
  private isOverdue = false;
  private readonly deadline: number;
  private readonly listeners: (() => void)[] = [];

  /** @param limits - undefined: only the client's deadline counts. */
  constructor(
    private readonly call: ServerCall,
    limits?: DeadlineLimits,
  ) {
    const given = Number(call.getDeadline());
    this.deadline = limits === undefined ? given : deadlineWithin(limits, given, Date.now());
  }

  /**
   * Lets the call be over at its deadline where that is ours; grpc-js sees to the client's.
   *
   * @returns what ends the watch.
   */
  watchDeadline(onOverdue: () => void): () => void {
    if (this.deadline >= Number(this.call.getDeadline())) return () => undefined;
    const waitMs = Math.max(0, this.deadline - Date.now());
    const timer = setTimeout(() => {
      this.isOverdue = true;
      for (const listener of this.listeners.splice(0)) listener();
      onOverdue();
    }, waitMs);
    return () => clearTimeout(timer);
  }

  header(name: string): string | undefined {
    const [value] = this.call.metadata.get(name);
    return typeof value === "string" ? value : undefined;
  }

  certificate(): CallerCertificate | undefined {
    return notedCertificate(socketOf(this.call));
  }

  peer(): string {
    return this.call.getPeer();
  }

  deadlineMs(): number {
    return this.deadline;
  }

  isCancelled(): boolean {
    return (this.call.cancelled || this.isOverdue) && !this.answered;
  }

  onEnd(listener: () => void): void {
    this.call.once("cancelled", listener);
    this.listeners.push(listener);
  }
}

/** What this module needs to know of the inside of grpc-js's calls. */
interface CallWithStream {
  readonly call?: { readonly stream?: { readonly session?: { readonly socket?: object } } };
}

/**
 * The socket of a call. grpc-js has a public way to its certificate, which reads it anew for each
 * call. Should the private one vanish, no caller is known by its certificate any more.
 */
function socketOf(call: ServerCall): object | undefined {
  return (call as CallWithStream).call?.stream?.session?.socket;
}

/** A status as grpc-js sends it, with its details. */
export function toGrpcStatus(status: Status): StatusObject {
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(toBinary(StatusSchema, status)));
  return { code: status.code, details: status.message, metadata };
}

import { EventEmitter, once } from "node:events";
import type { DescService } from "@bufbuild/protobuf";
import {
  Health as HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../gen/grpc/health/v1/health_pb.js";
import { notFound } from "../errors.js";
import { implement, type ServiceImplementation } from "./handler.js";

/** The name under which `grpc.health.v1` speaks of the whole server. */
const OVERALL = "";

/** What the server says of its health, by the `grpc.health.v1` protocol. */
export interface Health {
  /** Check, List and Watch. */
  readonly implementation: ServiceImplementation<typeof HealthService>;
  /** Whether one service answers, or with no name, whether the server and all services do. */
  setServing(isServing: boolean, service?: DescService): void;
  /** What is reported of a service, or with no name of the server. */
  isServing(service?: DescService): boolean;
  /** Reports NOT_SERVING for good. */
  shutDown(): void;
}

/** Knows the services and the server as a whole; all are NOT_SERVING until told otherwise. */
export function createHealth(services: readonly DescService[]): Health {
  const statuses = new Map<string, ServingStatus>();
  const changes = new EventEmitter().setMaxListeners(0);
  let isShutDown = false;
  for (const name of [OVERALL, ...services.map(({ typeName }) => typeName)]) {
    statuses.set(name, ServingStatus.NOT_SERVING);
  }

  function setAll(names: Iterable<string>, isServing: boolean): void {
    for (const name of names) {
      statuses.set(name, isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
    }
    changes.emit("change");
  }

  const implementation = implement(HealthService, {
    check({ service }) {
      const status = statuses.get(service);
      if (status === undefined) {
        throw notFound("SUBJECT_NOT_FOUND", { type: "service", name: service });
      }
      return { status };
    },
    list() {
      return {
        statuses: Object.fromEntries([...statuses].map(([name, status]) => [name, { status }])),
      };
    },
    async *watch({ service }, { signal }) {
      let reported: ServingStatus | undefined;
      for (;;) {
        const status = statuses.get(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (status === reported) {
          signal.throwIfAborted();
          // An abort is looked at above, after a change that came with it was reported.
          await once(changes, "change", { signal }).catch(() => undefined);
        } else {
          reported = status;
          yield { status };
        }
      }
    },
  });

  return {
    implementation,
    setServing(isServing, service) {
      if (isShutDown) return;
      setAll(service === undefined ? [...statuses.keys()] : [service.typeName], isServing);
    },
    isServing: (service) => statuses.get(service?.typeName ?? OVERALL) === ServingStatus.SERVING,
    shutDown() {
      isShutDown = true;
      setAll([...statuses.keys()], false);
    },
  };
}

import type { GrpcReply } from '../grpc-exchange.js';
import { HealthDefinition as Health, type HealthCheckResponse, HealthCheckResponse_ServingStatus as Status } from '../grpc-generated/grpc/health/v1/health.js';
import { type FaultLog, type GrpcMethod, GrpcService } from '../grpc-method.js';
import { GRPC, type GrpcStatus, StatusError } from '../grpc-status.js';

export interface HealthOptions {
  /** Full names of the services on the same port. The empty name is the server. */
  readonly services: readonly string[];
  /** Whether a prediction sent now would meet loaded models: as Sconce's `/ready`. */
  readonly ready: () => boolean;
  readonly logFault: FaultLog;
}

/** How soon a watcher hears of a change. */
const LOOK_MS = 250;
const STOPPING: GrpcStatus = { code: GRPC.unavailable, details: 'The server is shutting down.' };

/** grpc.health.v1: readiness for probes and load balancers. Open, since they carry no token; it tells nothing but this. */
export function healthMethods({ services, ready, logFault }: HealthOptions): readonly GrpcMethod[] {
  const known = new Set(['', ...services]);
  const statusNow = (): Status => (ready() ? Status.SERVING : Status.NOT_SERVING);
  const watchers = new Watchers(statusNow);
  const service = new GrpcService(Health.fullName, logFault);
  return [
    service.unary(Health.methods.check, 'open', (request) => {
      if (!known.has(request.service)) throw new StatusError({ code: GRPC.notFound, details: 'unknown service' }, undefined);
      return { status: statusNow() };
    }),
    service.serverStream(Health.methods.watch, 'open', (request, call, reply) => {
      const isKnown = known.has(request.service);
      call.onDrain(() => {
        reply.send({ status: Status.NOT_SERVING });
        reply.fail(STOPPING);
      });
      if (isKnown) watchers.add(reply);
      else reply.send({ status: Status.SERVICE_UNKNOWN });
      call.closed.addEventListener('abort', () => watchers.delete(reply), { once: true });
    }),
  ];
}

/** Looks at the status while anybody watches, and tells of its changes. */
class Watchers {
  readonly #told = new Map<GrpcReply<HealthCheckResponse>, Status>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly statusNow: () => Status) {}

  add(reply: GrpcReply<HealthCheckResponse>): void {
    const status = this.statusNow();
    reply.send({ status });
    this.#told.set(reply, status);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  delete(reply: GrpcReply<HealthCheckResponse>): void {
    this.#told.delete(reply);
    if (this.#told.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const status = this.statusNow();
    for (const [reply, told] of this.#told) {
      if (reply.ended) this.delete(reply);
      else if (told !== status) {
        this.#told.set(reply, status);
        reply.send({ status });
      }
    }
  }
}

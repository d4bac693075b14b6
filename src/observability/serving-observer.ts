import type { LogFiles } from './log-files.js';
import type { Metrics, MetricTeller } from './metrics.js';
import type { GrpcAnswered, HttpAnswered, Observer } from './observer.js';
import { redactedTarget } from './redacted-target.js';
import { isMetricLine } from './worker-metric-line.js';

const MAX_LINE_CHARS = 16_384;
/** Workers print the time of a batch when its answer is on its way: nothing for 20 ms, then all at once. */
const TIMES_COME_WITHIN_MS = 50;

/** Turns what the server tells of itself into TorchServe's metrics and log lines. */
export class ServingObserver implements Observer {
  #lastAnswerAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly metrics: Metrics,
    private readonly files: LogFiles,
    /** undefined: there are no tenants. */
    private readonly tellerOf?: (workerName: string) => MetricTeller,
  ) {}

  /** Resolves when the metrics tell what workers have to say of all answers until now, or should by then. */
  async caughtUp(): Promise<void> {
    const leftMs = this.#lastAnswerAtMs + TIMES_COME_WITHIN_MS - performance.now();
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
  }

  inferenceRequested(model: string, version: string | undefined): void {
    this.metrics.server('ts_inference_requests_total', 1, model, version ?? 'default');
  }

  inferenceAnswered(model: string, version: string | undefined, latencyUs: number, queueUs: number): void {
    this.metrics.server('ts_inference_latency_microseconds', latencyUs, model, version ?? 'default');
    this.metrics.server('ts_queue_latency_microseconds', queueUs, model, version ?? 'default');
  }

  inferenceRefused(model: string, reason: string): void {
    this.metrics.server('sconce_outcomes_total', 1, model, reason);
  }

  queueTime(ms: number): void {
    this.metrics.server('QueueTime', Math.round(ms), 'Host');
  }

  workerThreadTime(_workerName: string, ms: number): void {
    this.#lastAnswerAtMs = performance.now();
    this.metrics.server('WorkerThreadTime', Math.round(ms), 'Host');
  }

  workerLoaded(workerName: string, ms: number): void {
    this.metrics.server('WorkerLoadTime', Math.round(ms), workerName, 'Host');
  }

  httpAnswered(answer: HttpAnswered): void {
    const { peer, method, protocol, status, ms } = answer;
    const target = redactedTarget(answer.target);
    const family = status >= 200 && status < 300 ? 'Requests2XX' : status >= 400 && status < 500 ? 'Requests4XX' : 'Requests5XX';
    this.metrics.server(family, 1, 'Host');
    this.files.access(`${peer} "${method} ${target} ${protocol}" ${status} ${Math.round(ms)}`, { ...answer, target });
  }

  grpcAnswered(answer: GrpcAnswered): void {
    const { peer, method, code, ms } = answer;
    this.files.access(`${peer} "gRPC ${method} HTTP/2.0" ${code} ${Math.round(ms)}`, { ...answer });
  }

  tokenRefused(why: string): void {
    this.metrics.server('sconce_token_refusals_total', 1, why);
  }

  workerOutput(workerName: string, stream: 'stdout' | 'stderr', line: string): void {
    const teller = this.tellerOf?.(workerName);
    if (isMetricLine(line) && this.metrics.worker(line, teller)) return;
    this.files.model(stream === 'stdout' ? 'INFO' : 'WARN', `${workerName}-${stream}`, line.slice(0, MAX_LINE_CHARS), teller?.tenant);
  }
}

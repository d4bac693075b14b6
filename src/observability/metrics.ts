import { javaDouble } from './java-double.js';
import type { LogFiles } from './log-files.js';
import { MetricFamily, type MetricSpec } from './metric-family.js';
import { type MetricsConfig, SCONCE_METRICS } from './metrics-yaml.js';
import type { Log } from './observer.js';
import { printable } from './printable.js';
import type { ShownSamples } from './shown-samples.js';
import { parseMetricLine, type WorkerMetric } from './worker-metric-line.js';

/** `log`: to the log files. `prometheus`: to the metrics page. `legacy`: the three inference counters to the page, the rest to the files. */
export type MetricsMode = 'log' | 'prometheus' | 'legacy';

const LEGACY = new Set(['ts_inference_requests_total', 'ts_inference_latency_microseconds', 'ts_queue_latency_microseconds']);
/** Prepared log lines that are kept. */
const MAX_FRAMES = 10_000;
/** Metrics that `model_metrics_auto_detect` may add. */
const MAX_DETECTED = 1000;
/** As Prometheus has them; what begins with two underscores is its own. */
const NAME = /^(?!__)[a-zA-Z_:][\w:]*$/;
const LABEL = /^(?!__)[a-zA-Z_]\w*$/;

export interface MetricsOptions {
  readonly mode: MetricsMode;
  readonly config: MetricsConfig;
  readonly autoDetect: boolean;
  readonly hostname: string;
  readonly files: LogFiles;
  readonly log: Log;
}

/** The worker that a metric comes from. */
export interface MetricTeller {
  readonly tenant: string;
  /** Whether it may tell of this model. */
  mayTellOf(model: string): boolean;
}

/** All metrics of the server, kept or logged as the mode says. */
export class Metrics {
  readonly #server = new Map<string, MetricFamily>();
  readonly #model = new Map<string, MetricFamily>();
  #detected = 0;
  readonly #frames = new Map<string, { readonly before: string; readonly after: string }>();

  constructor(private readonly options: MetricsOptions) {
    for (const spec of [...options.config.server, ...SCONCE_METRICS]) this.#server.set(spec.name, new MetricFamily(spec));
    for (const spec of options.config.model) this.#model.set(spec.name, new MetricFamily(spec));
  }

  /** Updates one of the server's own metrics; one that metrics.yaml doesn't name is left out. The last label is the host. */
  server(name: string, value: number, ...labels: readonly string[]): void {
    const family = this.#server.get(name);
    if (family === undefined) return;
    if (this.#onPage(name)) {
      if (!family.update(value, [...labels, this.options.hostname]))
        this.options.log.error(`Failed to update frontend metric ${name}: its labels don't fit metrics.yaml`);
      return;
    }
    const frame = this.#frameOf(family.spec, labels);
    if (frame === undefined) return this.options.log.error(`Failed to update frontend metric ${name}: its labels don't fit metrics.yaml`);
    this.options.files.serverMetric(`${frame.before}${javaDouble(value)}${frame.after}${epochSeconds()}`);
  }

  /** What stands before and after the value in the log line of one metric with one set of labels. Kept, since the busy ones are written several times a request. */
  #frameOf(spec: MetricSpec, labels: readonly string[]): { readonly before: string; readonly after: string } | undefined {
    if (labels.length + 1 !== spec.dimensions.length) return undefined;
    const key = `${spec.name} ${labels.join(' ')}`;
    let frame = this.#frames.get(key);
    if (frame === undefined) {
      if (this.#frames.size >= MAX_FRAMES) this.#frames.clear();
      const before = `${spec.name}.${spec.unit}:`;
      frame = { before, after: `${this.#text(spec, 0, labels).slice(before.length + '0.0'.length)},timestamp:` };
      this.#frames.set(key, frame);
    }
    return frame;
  }

  /** Takes a line that a worker wrote with the metrics mark. False when it could not be read; the caller logs it then. `teller`: whose it is, where there are tenants. */
  worker(line: string, teller?: MetricTeller): boolean {
    const metric = parseMetricLine(line);
    if (metric === undefined) {
      this.options.log.error(`Failed to parse metrics line: "${line.slice(0, 500)}".`);
      return false;
    }
    const other = metric.dimensions.find(([name, value]) => /^model_?name$/i.test(name) && teller?.mayTellOf(value) === false);
    if (other !== undefined) {
      this.options.log.warn(
        `A worker of the tenant ${teller?.tenant} told of ${printable(other[1])}, which isn't the tenant's: its metric ${printable(metric.name)} is left out`,
      );
      return true;
    }
    let family = this.#model.get(metric.name);
    if (family === undefined) {
      if (!this.options.autoDetect || metric.type === undefined || this.#detected >= MAX_DETECTED || !this.#mayBeAdded(metric)) return true;
      this.#detected += 1;
      family = new MetricFamily({
        type: metric.type,
        name: metric.name,
        unit: metric.unit,
        dimensions: [...metric.dimensions.map(([name]) => name), 'Hostname'],
      });
      this.#model.set(metric.name, family);
    }
    const labels = metric.dimensions.map(([, value]) => value);
    if (this.options.mode === 'prometheus') {
      if (!family.update(metric.value, [...labels, metric.hostname]))
        this.options.log.error(`Failed to update backend metric ${metric.name}: its labels don't fit metrics.yaml`);
      return true;
    }
    if (labels.length + 1 !== family.spec.dimensions.length) return true;
    const ids = metric.requestIds === '' ? 'null' : metric.requestIds;
    this.options.files.modelMetric(
      `${this.#text(family.spec, metric.value, labels, metric.hostname)},requestID:${ids},timestamp:${metric.timestamp}`,
      teller?.tenant,
    );
    return true;
  }

  /** Not under a name of the server's own, and on the page only with names that can stand there. */
  #mayBeAdded({ name, dimensions }: WorkerMetric): boolean {
    if (this.#server.has(name)) return false;
    return this.options.mode !== 'prometheus' || (NAME.test(name) && dimensions.every(([label]) => LABEL.test(label)));
  }

  /** The metrics page. Empty in `log` mode, as TorchServe's is. `shown`: whose samples; undefined: all. */
  render(only: ReadonlySet<string> | undefined, shown?: ShownSamples): string {
    if (this.options.mode === 'log') return '';
    const families = [...this.#server.values(), ...this.#model.values()].filter(({ spec }) => this.options.mode === 'prometheus' || LEGACY.has(spec.name));
    return families.map((family) => family.render(only, shown)).join('');
  }

  #onPage(name: string): boolean {
    return this.options.mode === 'prometheus' || (this.options.mode === 'legacy' && LEGACY.has(name));
  }

  #text(spec: MetricSpec, value: number, labels: readonly string[], hostname = this.options.hostname): string {
    const dimensions = labels.map((label, index) => `${spec.dimensions[index] ?? ''}:${label}`).join(',');
    return `${spec.name}.${spec.unit}:${javaDouble(value)}|#${dimensions}|#hostname:${hostname}`;
  }
}

function epochSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

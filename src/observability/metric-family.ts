import { prometheusNumber } from './java-double.js';
import type { ShownSamples } from './shown-samples.js';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** One named metric as metrics.yaml declares it. `dimensions` are the label names, in order. */
export interface MetricSpec {
  readonly type: MetricType;
  readonly name: string;
  readonly unit: string;
  readonly dimensions: readonly string[];
}

const OF_MODEL = /^model_?name$/i;
const OF_WORKER = /^worker_?name$/i;
const OF_TENANT = /^tenant$/;
/** Upper bounds of a histogram's buckets in the metric's own unit: the Prometheus simpleclient defaults. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, Number.POSITIVE_INFINITY] as const;
/** Distinct label combinations of one metric; later ones are dropped so that a handler cannot fill memory with invented labels. */
const MAX_SERIES = 10_000;

interface Series {
  readonly labels: readonly string[];
  /** Counter and gauge value; a histogram's sum. */
  value: number;
  count: number;
  readonly buckets: number[];
}

/** The samples of one metric. Label values are matched to the dimensions by position. */
export class MetricFamily {
  readonly #series = new Map<string, Series>();

  constructor(readonly spec: MetricSpec) {}

  /** Adds to a counter, sets a gauge, observes in a histogram. False when the number of label values is wrong or there are too many series. */
  update(value: number, labels: readonly string[]): boolean {
    if (labels.length !== this.spec.dimensions.length) return false;
    const key = labels.join('\u0000');
    let series = this.#series.get(key);
    if (series === undefined) {
      if (this.#series.size >= MAX_SERIES) return false;
      series = { labels, value: 0, count: 0, buckets: this.spec.type === 'histogram' ? BUCKETS.map(() => 0) : [] };
      this.#series.set(key, series);
    }
    if (this.spec.type === 'gauge') series.value = value;
    else series.value += value;
    if (this.spec.type === 'histogram') {
      series.count += 1;
      BUCKETS.forEach((bound, index) => {
        if (value <= bound) series.buckets[index] = (series.buckets[index] ?? 0) + 1;
      });
    }
    return true;
  }

  /** Prometheus text 0.0.4 as the Java simpleclient 0.9 writes it: a comma after the last label. `only`: sample names to keep; a family without any left gives ''. `shown`: whose samples; undefined: all. */
  render(only: ReadonlySet<string> | undefined, shown?: ShownSamples): string {
    const { name, type, unit } = this.spec;
    const lines: string[] = [];
    for (const series of this.#series.values()) {
      if (shown !== undefined && !this.#isShown(series.labels, shown)) continue;
      for (const sample of this.#samples(series)) if (only === undefined || only.has(sample.name)) lines.push(sample.text);
    }
    if ((only !== undefined || shown !== undefined) && lines.length === 0) return '';
    return `# HELP ${name} Torchserve prometheus ${type} metric with unit: ${unit}\n# TYPE ${name} ${type}\n${lines.map((line) => `${line}\n`).join('')}`;
  }

  /** What names a model or one of its workers is that model's; the rest is the machine's. */
  #isShown(labels: readonly string[], shown: ShownSamples): boolean {
    let isMachines = true;
    const isShown = this.spec.dimensions.every((dimension, index) => {
      const judge = judgeOf(dimension, shown);
      if (judge === undefined) return true;
      isMachines = false;
      return judge(labels[index] ?? '');
    });
    return isShown && (shown.machine || !isMachines);
  }

  *#samples(series: Series): Generator<{ name: string; text: string }> {
    const { name, type } = this.spec;
    const sample = (suffix: string, value: number, le?: string) => ({
      name: name + suffix,
      text: `${name}${suffix}${this.#labels(series.labels, le)} ${prometheusNumber(value)}`,
    });
    if (type !== 'histogram') return yield sample('', series.value);
    for (const [index, bound] of BUCKETS.entries()) yield sample('_bucket', series.buckets[index] ?? 0, prometheusNumber(bound));
    yield sample('_count', series.count);
    yield sample('_sum', series.value);
  }

  #labels(values: readonly string[], le: string | undefined): string {
    const pairs = values.map((value, index) => `${this.spec.dimensions[index] ?? ''}="${escapeLabel(value)}",`);
    if (le !== undefined) pairs.push(`le="${le}",`);
    return pairs.length === 0 ? '' : `{${pairs.join('')}}`;
  }
}

/** Who decides on what a label of this name says; undefined: it is nobody's. */
function judgeOf(dimension: string, shown: ShownSamples): ((label: string) => boolean) | undefined {
  if (OF_MODEL.test(dimension)) return (model) => shown.model(model);
  if (OF_TENANT.test(dimension)) return (tenant) => shown.tenant(tenant);
  if (!OF_WORKER.test(dimension)) return undefined;
  return (worker) => shown.model(/^W-\d+-(.*)_[^_]*$/.exec(worker)?.[1] ?? worker) && shown.worker?.(worker) !== false;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));
}

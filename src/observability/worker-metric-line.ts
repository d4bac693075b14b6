import type { MetricType } from './metric-family.js';

/** A metric that a worker's output line carried. */
export interface WorkerMetric {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly dimensions: readonly (readonly [name: string, value: string])[];
  readonly type: MetricType | undefined;
  readonly hostname: string;
  readonly timestamp: string;
  /** Joined by commas; '' when the line names none. */
  readonly requestIds: string;
}

const MARK = /^(?:INFO > )?\[METRICS\]/;
const PAYLOAD = /^([\w\s]+)\.([\w\s]+):([0-9\-+,.e]+)(?:\|#([^|]*))(?:\|#type:(COUNTER|GAUGE|HISTOGRAM))?\|#hostname:([^,]+),([^,]+)(?:,(.*))?$/;
/** Longer lines are not metrics, whatever they begin with. */
const MAX_CHARS = 16_384;

export function isMetricLine(line: string): boolean {
  return line.length <= MAX_CHARS && MARK.test(line);
}

/** undefined for a line that has the mark but not the form: an error text of the metrics API, or a value that is no number. */
export function parseMetricLine(line: string): WorkerMetric | undefined {
  const found = PAYLOAD.exec(line.replace(MARK, ''));
  if (found === null) return undefined;
  const [, name = '', unit = '', number = '', dimensions = '', type, hostname = '', timestamp = '', requestIds = ''] = found;
  const value = Number(number.replaceAll(',', ''));
  if (!Number.isFinite(value)) return undefined;
  const pairs = dimensions.split(',').flatMap((pair): [string, string][] => {
    const [key, text, ...rest] = pair.split(':');
    return key === undefined || text === undefined || rest.length > 0 ? [] : [[key, text]];
  });
  return { name, unit, value, dimensions: pairs, type: typeOf(type), hostname, timestamp, requestIds };
}

function typeOf(text: string | undefined): MetricType | undefined {
  if (text === 'COUNTER') return 'counter';
  if (text === 'GAUGE') return 'gauge';
  return text === 'HISTOGRAM' ? 'histogram' : undefined;
}

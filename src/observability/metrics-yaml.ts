import { parse } from 'yaml';
import { z } from 'zod';
import type { MetricSpec, MetricType } from './metric-family.js';

/** Which metrics the server knows: its own and those that handlers may emit. */
export interface MetricsConfig {
  readonly server: readonly MetricSpec[];
  /** `Hostname` has been appended to their dimensions. */
  readonly model: readonly MetricSpec[];
}

const entry = z.object({ name: z.string(), unit: z.string(), dimensions: z.array(z.string()) });
const section = z.object({ counter: z.array(entry).nullish(), gauge: z.array(entry).nullish(), histogram: z.array(entry).nullish() }).strict();
const document = z.object({ dimensions: z.array(z.string()).nullish(), ts_metrics: section.nullish(), model_metrics: section.nullish() }).strict();

const TYPES: readonly MetricType[] = ['counter', 'gauge', 'histogram'];

function specs(of: z.infer<typeof section> | null | undefined): MetricSpec[] {
  return TYPES.flatMap((type) => (of?.[type] ?? []).map(({ name, unit, dimensions }) => ({ type, name, unit, dimensions })));
}

/** Reads a metrics.yaml. Throws (yaml's or zod's error) when it is broken; TorchServe then runs without metrics, and so do we, with a loud line. */
export function parseMetricsYaml(text: string): MetricsConfig {
  const { ts_metrics, model_metrics } = document.parse(parse(text, { maxAliasCount: 1000 }));
  return { server: specs(ts_metrics), model: specs(model_metrics).map(withHostname) };
}

function withHostname(spec: MetricSpec): MetricSpec {
  return { ...spec, dimensions: [...spec.dimensions, 'Hostname'] };
}

const HOST = ['Level', 'Hostname'];
const MODEL = ['model_name', 'model_version', 'hostname'];
const TENANT = ['tenant', 'hostname'];
const host = (type: MetricType, unit: string, ...names: string[]): MetricSpec[] => names.map((name) => ({ type, name, unit, dimensions: HOST }));

/** Sconce's own, there whatever metrics.yaml says. */
export const SCONCE_METRICS: readonly MetricSpec[] = [
  { type: 'counter', name: 'sconce_outcomes_total', unit: 'Count', dimensions: ['model_name', 'reason', 'hostname'] },
  { type: 'counter', name: 'sconce_token_refusals_total', unit: 'Count', dimensions: ['reason', 'hostname'] },
  { type: 'gauge', name: 'sconce_tenant_models', unit: 'Count', dimensions: TENANT },
  { type: 'gauge', name: 'sconce_tenant_workers', unit: 'Count', dimensions: TENANT },
  { type: 'gauge', name: 'sconce_tenant_requests_in_flight', unit: 'Count', dimensions: TENANT },
  { type: 'gauge', name: 'sconce_tenant_body_bytes_in_flight', unit: 'Bytes', dimensions: TENANT },
  { type: 'counter', name: 'sconce_tenant_refusals_total', unit: 'Count', dimensions: ['tenant', 'quota', 'hostname'] },
  { type: 'gauge', name: 'sconce_event_loop_delay_ms', unit: 'Milliseconds', dimensions: HOST },
  { type: 'gauge', name: 'sconce_tls_certificate_expires_in_seconds', unit: 'Seconds', dimensions: HOST },
  { type: 'counter', name: 'sconce_tls_reload_failures_total', unit: 'Count', dimensions: HOST },
];

/** What TorchServe 0.12 ships as ts/configs/metrics.yaml. */
export const DEFAULT_METRICS: MetricsConfig = {
  server: [
    ...host('counter', 'Count', 'Requests2XX', 'Requests4XX', 'Requests5XX'),
    { type: 'counter', name: 'ts_inference_requests_total', unit: 'Count', dimensions: MODEL },
    { type: 'counter', name: 'ts_inference_latency_microseconds', unit: 'Microseconds', dimensions: MODEL },
    { type: 'counter', name: 'ts_queue_latency_microseconds', unit: 'Microseconds', dimensions: MODEL },
    ...host('gauge', 'Milliseconds', 'QueueTime', 'WorkerThreadTime'),
    { type: 'gauge', name: 'WorkerLoadTime', unit: 'Milliseconds', dimensions: ['WorkerName', ...HOST] },
    ...host('gauge', 'Percent', 'CPUUtilization'),
    ...host('gauge', 'Megabytes', 'MemoryUsed', 'MemoryAvailable'),
    ...host('gauge', 'Percent', 'MemoryUtilization'),
    ...host('gauge', 'Gigabytes', 'DiskUsage'),
    ...host('gauge', 'Percent', 'DiskUtilization'),
    ...host('gauge', 'Gigabytes', 'DiskAvailable'),
    { type: 'gauge', name: 'GPUMemoryUtilization', unit: 'Percent', dimensions: ['Level', 'DeviceId', 'Hostname'] },
    { type: 'gauge', name: 'GPUMemoryUsed', unit: 'Megabytes', dimensions: ['Level', 'DeviceId', 'Hostname'] },
    { type: 'gauge', name: 'GPUUtilization', unit: 'Percent', dimensions: ['Level', 'DeviceId', 'Hostname'] },
  ],
  model: [
    { type: 'gauge', name: 'HandlerTime', unit: 'ms', dimensions: ['ModelName', 'Level', 'Hostname'] },
    { type: 'gauge', name: 'PredictionTime', unit: 'ms', dimensions: ['ModelName', 'Level', 'Hostname'] },
  ],
};

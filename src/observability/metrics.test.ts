import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { javaDouble } from './java-double.js';
import { LogFiles } from './log-files.js';
import { Metrics, type MetricsMode } from './metrics.js';
import { DEFAULT_METRICS, parseMetricsYaml } from './metrics-yaml.js';
import { serverLog } from './server-log.js';
import { ServingObserver } from './serving-observer.js';
import { parseMetricLine } from './worker-metric-line.js';

let folder: string;
let files: LogFiles;
let onConsole: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-logs-'));
  onConsole = '';
  files = new LogFiles({
    logFolder: folder,
    metricsFolder: folder,
    json: true,
    console: {
      write: (text) => {
        onConsole += text;
      },
    },
  });
});

afterEach(async () => {
  await files.close();
  rmSync(folder, { recursive: true });
});

function inMode(mode: MetricsMode, autoDetect = false): Metrics {
  return new Metrics({ mode, config: DEFAULT_METRICS, autoDetect, hostname: 'h', files, log: serverLog(files, 'test') });
}

function file(name: string): string {
  files.flush();
  return readFileSync(join(folder, name), 'utf8');
}

describe('metrics', () => {
  it('in prometheus mode stand on the page with a comma after the last label and Java numbers', () => {
    const metrics = inMode('prometheus');
    metrics.server('Requests2XX', 1, 'Host');
    metrics.server('Requests2XX', 1, 'Host');

    const page = metrics.render(undefined);

    expect(page).toContain(
      '# HELP Requests2XX Torchserve prometheus counter metric with unit: Count\n# TYPE Requests2XX counter\nRequests2XX{Level="Host",Hostname="h",} 2.0\n',
    );
    expect(page).toContain('# TYPE HandlerTime gauge\n');
    expect(file('ts_metrics.log')).toBe('');
  });

  it('in log mode leave the page empty and are lines of ts_metrics.log', () => {
    const metrics = inMode('log');

    metrics.server('Requests2XX', 1, 'Host');

    expect(metrics.render(undefined)).toBe('');
    expect(file('ts_metrics.log')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3} - Requests2XX\.Count:1\.0\|#Level:Host\|#hostname:h,timestamp:\d+\n$/);
  });

  it('in legacy mode show exactly three counters', () => {
    const metrics = inMode('legacy');
    new ServingObserver(metrics, files).inferenceAnswered('m', undefined, 10, 5);
    metrics.server('QueueTime', 3, 'Host');

    const families = [...metrics.render(undefined).matchAll(/# TYPE (\S+)/g)].map((found) => found[1]);

    expect(families).toEqual(['ts_inference_requests_total', 'ts_inference_latency_microseconds', 'ts_queue_latency_microseconds']);
    expect(metrics.render(undefined)).toContain('ts_inference_latency_microseconds{model_name="m",model_version="default",hostname="h",} 10.0');
    expect(file('ts_metrics.log')).toContain('QueueTime.Milliseconds:3.0|#Level:Host|#hostname:h,timestamp:');
  });

  it('name filters keep only the samples asked for', () => {
    const metrics = inMode('prometheus');
    metrics.server('Requests2XX', 1, 'Host');
    metrics.server('Requests4XX', 1, 'Host');

    expect([...metrics.render(new Set(['Requests4XX'])).matchAll(/# TYPE (\S+)/g)].map((found) => found[1])).toEqual(['Requests4XX']);
  });

  it('of workers go to model_metrics.log with the unit of metrics.yaml and the request id, and not to model_log', () => {
    const observer = new ServingObserver(inMode('log'), files);

    observer.workerOutput(
      'W-9000-m_1.0',
      'stdout',
      '[METRICS]PredictionTime.Milliseconds:0.6|#ModelName:m,Level:Model|#type:GAUGE|#hostname:vm,1795489118,r0,r1',
    );
    observer.workerOutput('W-9000-m_1.0', 'stderr', 'a word');

    expect(file('model_metrics.log')).toContain(' - PredictionTime.ms:0.6|#ModelName:m,Level:Model|#hostname:vm,requestID:r0,r1,timestamp:1795489118\n');
    expect(file('model_log.log')).toMatch(/^\S+ \[WARN ] W-9000-m_1\.0-stderr MODEL_LOG - a word\n$/);
  });

  it('of no request have the request id that TorchServe writes there', () => {
    const observer = new ServingObserver(inMode('log'), files);

    observer.workerOutput('W-9000-m_1.0', 'stdout', '[METRICS]PredictionTime.Milliseconds:0.6|#ModelName:m,Level:Model|#type:GAUGE|#hostname:vm,1795489118');

    expect(file('model_metrics.log')).toContain(' - PredictionTime.ms:0.6|#ModelName:m,Level:Model|#hostname:vm,requestID:null,timestamp:1795489118\n');
  });

  it('that metrics.yaml does not name are ignored unless they are detected', () => {
    const line = '[METRICS]Seen.Count:2|#ModelName:m,Level:Model|#type:COUNTER|#hostname:vm,1';
    const strict = inMode('prometheus');
    const detecting = inMode('prometheus', true);

    strict.worker(line);
    detecting.worker(line);

    expect(strict.render(undefined)).not.toContain('Seen');
    expect(detecting.render(undefined)).toContain('Seen{ModelName="m",Level="Model",Hostname="vm",} 2.0');
  });

  it('an unreadable metric line is told of and kept in the model log', () => {
    const observer = new ServingObserver(inMode('log'), files);

    observer.workerOutput('W-9000-m_1.0', 'stdout', '[METRICS]Failed to update metric with name:x');

    expect(file('ts_log.log')).toContain('Failed to parse metrics line');
    expect(file('model_log.log')).toContain('Failed to update metric');
  });

  it('accept large and negative exponents in worker lines', () => {
    expect(parseMetricLine('[METRICS]a.ms:1e+20|#Level:Model|#hostname:h,1')?.value).toBe(1e20);
    expect(parseMetricLine('[METRICS]a.ms:1e-05|#Level:Model|#hostname:h,1')?.value).toBe(1e-5);
  });

  it('metrics.yaml with an unknown key is refused', () => {
    expect(() => parseMetricsYaml('ts_metrics:\n  counters: []\n')).toThrow();
    expect(
      parseMetricsYaml('dimensions:\n  - &h "Hostname"\nts_metrics:\n  counter:\n    - name: a\n      unit: Count\n      dimensions: [*h]\n').server[0]
        ?.dimensions,
    ).toEqual(['Hostname']);
  });
});

describe('numbers', () => {
  it('are printed as Java prints doubles', () => {
    expect([3, 0.33, 1e7, 1.5e-4, 0, 12345678, Number.NaN].map(javaDouble)).toEqual(['3.0', '0.33', '1.0E7', '1.5E-4', '0.0', '1.2345678E7', 'NaN']);
  });
});

describe('the access log', () => {
  it('has the peer, the request line, the status and the milliseconds, on file, console and as JSON', () => {
    const observer = new ServingObserver(inMode('log'), files);

    observer.httpAnswered({ peer: '/127.0.0.1:5', method: 'GET', target: '/ping\r\nfalse line', protocol: 'HTTP/1.1', status: 200, ms: 1.4, requestId: 'r' });

    expect(file('access_log.log')).toMatch(/^\S+ - \/127\.0\.0\.1:5 "GET \/ping {2}false line HTTP\/1\.1" 200 1\n$/);
    expect(onConsole).toContain('ACCESS_LOG - /127.0.0.1:5');
    expect(JSON.parse(file('sconce_log.json').split('\n')[0] ?? '')).toMatchObject({ log: 'access', status: 200, requestId: 'r' });
  });
});

describe('workers of tenants', () => {
  const METRIC = (model: string) => `[METRICS]PredictionTime.ms:1.5|#ModelName:${model},Level:Model|#type:GAUGE|#hostname:h,1700000000,r`;
  const tellerOf = (worker: string) => {
    const tenant = worker.includes('acme') ? 'acme' : 'default';
    return { tenant, mayTellOf: (model: string) => model.startsWith('acme-') === (tenant === 'acme') };
  };

  it('print into files of their own', () => {
    files.keepApart(['acme']);
    const observer = new ServingObserver(inMode('log'), files, tellerOf);
    observer.workerOutput('W-1-acme-a_1.0', 'stdout', 'of acme');
    observer.workerOutput('W-2-b_1.0', 'stdout', 'of the operator');
    observer.workerOutput('W-1-acme-a_1.0', 'stdout', METRIC('acme-a'));

    expect(file('tenants/acme/model_log.log')).toMatch(/W-1-acme-a_1.0-stdout MODEL_LOG - of acme\n$/);
    expect(file('model_log.log')).toMatch(/of the operator\n$/);
    expect(file('model_log.log')).not.toContain('of acme');
    expect([file('tenants/acme/model_metrics.log').includes('acme-a'), file('model_metrics.log')]).toEqual([true, '']);
    expect(onConsole).toContain('of acme');
    expect(file('sconce_log.json')).toContain('"tenant":"acme"');
  });

  it('go to the file of all where theirs cannot be written', () => {
    files.keepApart(['acme']);
    writeFileSync(join(folder, 'tenants'), '');
    new ServingObserver(inMode('log'), files, tellerOf).workerOutput('W-1-acme-a_1.0', 'stdout', 'of acme');

    expect(file('model_log.log')).toContain('of acme');
    expect(file('ts_log.log')).toMatch(/model_log\.log cannot be written/);
  });

  it('put nothing on the page that names another tenant’s model', () => {
    const metrics = inMode('prometheus');
    const observer = new ServingObserver(metrics, files, tellerOf);
    for (const model of ['acme-a', 'b']) observer.workerOutput('W-1-acme-a_1.0', 'stdout', METRIC(model));
    observer.workerOutput('W-2-b_1.0', 'stdout', METRIC('acme-z'));

    expect(metrics.render(undefined)).toContain('PredictionTime{ModelName="acme-a"');
    expect(metrics.render(undefined)).not.toMatch(/ModelName="(b|acme-z)"/);
    expect(file('ts_log.log')).toMatch(/A worker of the tenant acme told of b, which isn't the tenant's/);
  });
});

import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { resolveSettings } from './resolve.js';
import { startReport } from './start-report.js';

const LABELS = `Torchserve version, TS Home, Current directory, Temp directory, Metrics config path, Number of GPUs, Number of CPUs, Max heap size,
Python executable, Config file, Inference address, Management address, Metrics address, Model Store, Initial Models, Log dir, Metrics dir, Netty threads,
Netty client threads, Default workers per model, Blacklist Regex, Maximum Response Size, Maximum Request Size, Limit Maximum Image Pixels,
Prefer direct buffer, Allowed Urls, Custom python dependency for model allowed, Enable metrics API, Metrics mode, Disable system metrics, Workflow Store,
CPP log config, Model config, System metrics command, Model API enabled`.split(/,\s+/);

it("the start report has TorchServe's labels in TorchServe's order, and holds no secret", () => {
  const flags = new Map([
    ['model_store', { text: '/store', where: '--model-store' }],
    ['keystore_pass', { text: 'hunter2', where: '--set' }],
  ]);
  const { settings } = resolveSettings({ flags, env: {}, cwd: `${tmpdir()}/no-such-folder`, configFile: undefined });
  const facts = { version: '0.12.0', home: '/home', currentDirectory: '/', tempDirectory: '/tmp', gpus: 0, cpus: 2, heapMib: 1024 };

  const report = startReport(settings, {
    ...facts,
    python: 'python3',
    initialModels: undefined,
    logFolder: '/logs',
    metricsFolder: '/logs',
    defaultWorkers: 2,
  });

  const [first, ...lines] = report.split('\n');
  expect(first).toBe('');
  expect(lines.map((line) => line.slice(0, line.indexOf(': ')))).toEqual(LABELS);
  expect(lines).toContain('Model Store: /store');
  expect(lines).toContain('Workflow Store: /store');
  expect(lines).toContain('Metrics mode: LOG');
  expect(report).not.toContain('hunter2');
});

import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { eventually } from '../fixtures/eventually.js';
import { call, TORCHSERVE } from './running-server.js';

const SCONCE = fileURLToPath(new URL('../../bin/sconce', import.meta.url));
const VENV_PYTHON = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-cli-'));
  mkdirSync(join(folder, 'store'));
});

afterEach(() => {
  torchserve('--stop', '--foreground');
  rmSync(folder, { recursive: true, force: true });
});

function run(binary: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { TS_CONFIG_FILE: _ignored, TEMP: _alsoIgnored, ...rest } = process.env;
  // Files, not pipes: a server that goes on in the background would hold a pipe open.
  const [out, err] = ['out', 'err'].map((name) => join(folder, `${name}-${randomUUID()}`)) as [string, string];
  const files = [openSync(out, 'w'), openSync(err, 'w')] as const;
  const { status } = spawnSync(process.execPath, [binary, ...args], {
    cwd: folder,
    env: { ...rest, TMPDIR: folder, ...env },
    stdio: ['ignore', ...files],
    timeout: 60_000,
  });
  for (const file of files) closeSync(file);
  return { status, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') };
}

function torchserve(...args: readonly string[]) {
  return run(TORCHSERVE, args);
}

function pidFile(): string {
  return join(folder, '.model_server.pid');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A config on free ports with tokens off; gives the inference port. */
async function writeConfig(extra = ''): Promise<number> {
  const [inference, management, metrics] = await Promise.all([freePort(), freePort(), freePort()]);
  const lines = [
    `inference_address=http://127.0.0.1:${inference}`,
    `management_address=http://127.0.0.1:${management}`,
    `metrics_address=http://127.0.0.1:${metrics}`,
    'grpc_inference_port=0',
    'grpc_management_port=0',
    'disable_token_authorization=true',
    'default_workers_per_model=1',
    `python=${existsSync(VENV_PYTHON) ? VENV_PYTHON : 'python3'}`,
    `sconce_cache_dir=${join(folder, 'cache')}`,
    'sconce_warm_python=false',
  ];
  writeFileSync(join(folder, 'c.properties'), `${lines.join('\n')}\n${extra}`);
  return inference;
}

describe('torchserve', () => {
  it('prints its version', () => {
    expect(torchserve('--version')).toMatchObject({ status: 0, stdout: 'TorchServe Version is 0.12.0\n' });
  });

  it.each([
    [['--start'], 'Missing mandatory parameter --model-store'],
    [[], 'Missing mandatory parameter --model-store'],
    [['--start', '--model-store', 'nowhere'], '--model-store directory not found: nowhere'],
    [['--start', '--model-store', 'store', '--ts-config', 'nope'], '--ts-config file not found: nope'],
    [['--start', '--model-store', 'store', '--log-config', 'nope'], '--log-config file not found: nope'],
    [['--start', '--model-store', 'store', '--workflow-store', 'nope'], '--workflow-store directory not found: nope'],
  ])('%j says %s and exits 1', (args, line) => {
    expect(torchserve(...args)).toMatchObject({ status: 1, stdout: `${line}\n` });
  });

  it('refuses a bad TEMP, and flags that exclude each other', () => {
    expect(run(TORCHSERVE, ['--model-store', 'store'], { TEMP: '/no/such' })).toMatchObject({
      status: 1,
      stdout: 'Invalid temp directory: /no/such, please check TEMP environment variable.\n',
    });
    expect(torchserve('--start', '--stop').status).toBe(2);
  });

  it('removes the PID file of a dead server, before anything else', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(pidFile(), String(pid));

    expect(torchserve('--version').stdout).toBe('Removing orphan pid file.\nTorchServe Version is 0.12.0\n');
    expect(existsSync(pidFile())).toBe(false);
  });

  it('--start returns at once with the server in the background, a second start is refused, --stop ends it and takes the key file', async () => {
    const file = await archive(join(folder, 'store'), { name: 'noop', handler: 'noop.py' });
    const port = await writeConfig();
    writeFileSync(join(folder, 'key_file.json'), '{}');

    const started = torchserve('--start', '--model-store', 'store', '--models', `noop=${file}`, '--ts-config', 'c.properties');
    expect(started).toMatchObject({ status: 0 });
    const pid = Number(readFileSync(pidFile(), 'utf8'));
    await answers(port);
    const second = torchserve('--start', '--model-store', 'store');
    expect(second).toMatchObject({ status: 1, stdout: 'TorchServe is already running, please use torchserve --stop to stop TorchServe.\n' });
    const stopped = torchserve('--stop', '--foreground');

    expect(stopped).toMatchObject({ status: 0, stdout: '' });
    expect(() => process.kill(pid, 0)).toThrow();
    expect(existsSync(pidFile())).toBe(false);
    expect(existsSync(join(folder, 'key_file.json'))).toBe(false);
    expect(torchserve('--stop')).toMatchObject({ status: 0, stdout: 'TorchServe is not currently running.\n' });
  });

  it('says a word about JVM arguments and plug-ins and goes on', async () => {
    const port = await writeConfig('vmargs=-Xmx2g\n');

    const { status, stdout } = torchserve('--start', '--model-store', 'store', '--ts-config', 'c.properties', '--ppath', 'plugins');
    await listens(port);

    expect(status).toBe(0);
    expect(stdout).toContain('Warning: TorchServe is using non-default JVM parameters: -Xmx2g');
    expect(stdout).toContain('--plugins-path is not used');
  });
});

describe('sconce', () => {
  it('refuses to start with one line for a wrong setting and for a port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;

    const wrong = run(SCONCE, ['serve', '--model-store', 'store', '--set', 'job_queue_size=lots']);
    const busy = run(SCONCE, ['serve', '--model-store', 'store', '--set', `inference_address=http://127.0.0.1:${port}`]);
    taken.close();

    expect(wrong).toMatchObject({ status: 1, stdout: expect.stringMatching(/^Invalid configuration: job_queue_size=lots .*allowed: a whole number/) });
    expect(busy.status).toBe(1);
    expect(busy.stdout).toContain(`Failed to bind to address: http://127.0.0.1:${port}`);
    expect(readdirSync(folder).filter((name) => name.startsWith('sconce-'))).toEqual([]);
  });

  it('config prints each setting and where it came from', () => {
    writeFileSync(join(folder, 'config.properties'), 'job_queue_size=7\njob_queue_sise=8\n');

    const { status, stdout, stderr } = run(SCONCE, ['config', '--changed', '--model-store', 'store']);

    expect(status).toBe(0);
    expect(stdout).toMatch(/job_queue_size\s+7\s+config\.properties:1/);
    expect(stdout).toMatch(/model_store\s+store\s+--model-store/);
    expect(stderr).toContain('did you mean job_queue_size?');
    expect(JSON.parse(run(SCONCE, ['config', '--json']).stdout)).toContainEqual(expect.objectContaining({ key: 'job_queue_size', value: '7', source: 'file' }));
  });

  it('both spellings of a flag say the same', () => {
    for (const flag of ['--dt', '--disable-token-auth'])
      expect(run(SCONCE, ['config', '--changed', flag]).stdout).toMatch(/disable_token_authorization\s+true/);
    writeFileSync(join(folder, 'c.properties'), 'job_queue_size=7\n');
    for (const flag of ['--ts-config', '--config']) expect(run(SCONCE, ['config', '--changed', flag, 'c.properties']).stdout).toMatch(/job_queue_size\s+7/);
  });

  it('helps, and suggests the nearest command', () => {
    expect(run(SCONCE, ['--help'])).toMatchObject({ status: 0, stdout: expect.stringContaining('serve') });
    expect(run(SCONCE, ['serv'])).toMatchObject({ status: 2, stderr: expect.stringContaining('Did you mean serve?') });
    expect(run(SCONCE, ['models', 'list', '--management', 'http://127.0.0.1:1'])).toMatchObject({
      status: 1,
      stderr: 'no server answers at http://127.0.0.1:1\n',
    });
  });
});

function answers(port: number): Promise<void> {
  return becomesTrue(port, async () => (await call(`http://127.0.0.1:${port}/predictions/noop`, { method: 'POST' })).text === 'ok');
}

function listens(port: number): Promise<void> {
  return becomesTrue(port, async () => (await call(`http://127.0.0.1:${port}/ping`)).status === 200);
}

/** A connection that is refused meanwhile counts as false. */
function becomesTrue(port: number, holds: () => Promise<boolean>): Promise<void> {
  return eventually(
    () => holds().catch(() => false),
    () => `port ${port} answers`,
  );
}

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../fixtures/eventually.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCONCE = join(ROOT, 'bin', 'sconce');
export const TORCHSERVE = join(ROOT, 'bin', 'torchserve');
const VENV_PYTHON = join(process.env.SCONCE_VENV_DIR ?? join(ROOT, '.venv'), 'bin', 'python');

export interface HttpResult {
  readonly status: number;
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  json(): unknown;
}

export interface CallOptions {
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
}

/** One HTTP call on a connection of its own, unless an agent is given. Rejects when the connection fails before the answer is whole. */
export function call(url: string, { method = 'GET', body, headers = {}, agent }: CallOptions = {}): Promise<HttpResult> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { method, headers, agent: agent ?? false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('aborted', () => reject(new Error('the answer was cut off')));
      incoming.on('end', () => {
        const whole = Buffer.concat(chunks);
        const text = whole.toString();
        resolve({
          status: incoming.statusCode ?? 0,
          statusText: incoming.statusMessage ?? '',
          headers: incoming.headers,
          rawHeaders: incoming.rawHeaders,
          body: whole,
          text,
          json: () => JSON.parse(text),
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export interface ServerOptions {
  /** Lines of config.properties beyond addresses and store. */
  readonly config?: Readonly<Record<string, string>>;
  /** Arguments after `serve`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Tokens are off in most tests; the token tests turn them on. */
  readonly tokens?: boolean;
  readonly waitForReady?: boolean;
  /** `write`: snapshots are written beside the named config. `restore`: no config is named, so that the newest snapshot is restored. Otherwise there are none. */
  readonly snapshots?: 'write' | 'restore';
}

/** A folder of its own with a model store in it, and the real server run there on free ports. */
export class RunningServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'sconce-e2e-'));
  readonly store = join(this.folder, 'store');
  /** Where handlers and tests meet: `sharing` lets a model's sandbox write there. */
  readonly shared = join(this.folder, 'shared');
  output = '';
  #child: ChildProcess | undefined;
  #exit: Promise<number | null> = Promise.resolve(null);
  readonly #addresses = new Map<string, string>();

  constructor() {
    mkdirSync(this.store);
    mkdirSync(this.shared);
    chmodSync(this.shared, 0o777);
  }

  /** A line of config.properties by which workers of these models may write to `shared`. */
  sharing(...models: readonly string[]): { readonly sconce_grants: string } {
    return { sconce_grants: JSON.stringify(Object.fromEntries(models.map((model) => [model, { write: [this.shared] }]))) };
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  get inference(): string {
    return this.#address('Inference');
  }

  get management(): string {
    return this.#address('Management');
  }

  get metrics(): string {
    return this.#address('Metrics');
  }

  /** `127.0.0.1:7070` */
  get grpcInference(): string {
    return this.#address('Inference gRPC');
  }

  get grpcManagement(): string {
    return this.#address('Management gRPC');
  }

  get exited(): Promise<number | null> {
    return this.#exit;
  }

  /** Resolves when the server says that it has started, and unless told otherwise when its start-up models are loaded. */
  async start({ config = {}, args = [], env = {}, tokens = false, waitForReady = true, snapshots }: ServerOptions = {}): Promise<this> {
    this.output = '';
    this.#addresses.clear();
    const settings: Record<string, string> = {
      inference_address: 'http://127.0.0.1:0',
      management_address: 'http://127.0.0.1:0',
      metrics_address: 'http://127.0.0.1:0',
      grpc_inference_port: '0',
      grpc_management_port: '0',
      enable_model_api: 'true',
      disable_token_authorization: String(!tokens),
      python: existsSync(VENV_PYTHON) ? VENV_PYTHON : 'python3',
      sconce_cache_dir: join(this.folder, 'cache'),
      ...config,
    };
    const file = join(this.folder, 'config.properties');
    writeFileSync(
      file,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    const start = snapshots === 'restore' ? [] : ['--ts-config', file, '--model-store', this.store, ...(snapshots === 'write' ? [] : ['--ncs'])];
    this.#child = spawn(process.execPath, [SCONCE, 'serve', ...start, ...args], {
      cwd: this.folder,
      env: { ...process.env, LOG_LOCATION: join(this.folder, 'logs'), METRICS_LOCATION: join(this.folder, 'logs'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const child = this.#child;
    // What it said last is read once its pipes are closed; a process that outlives it and holds them must not keep anybody waiting.
    this.#exit = new Promise((resolve) => {
      child.on('close', (code) => resolve(code));
      child.on('exit', (code) => setTimeout(() => resolve(code), 1000));
    });
    const collect = (chunk: Buffer) => {
      this.output += chunk.toString();
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    await this.outputHas('Model server started.');
    for (const [, name = '', address = ''] of this.output.matchAll(/((?:Inference|Management|Metrics)(?: gRPC)?) API bind to: (\S+)/g))
      this.#addresses.set(name, address);
    if (waitForReady) await this.eventually(async () => (await call(`${this.inference}/ready`)).status === 200, 'the server is ready');
    return this;
  }

  /** Resolves when the output holds `text`; rejects when the server ends first or 60 s pass. */
  async outputHas(text: string | RegExp): Promise<void> {
    let ended = false;
    void this.#exit.then(() => {
      ended = true;
    });
    await this.eventually(async () => {
      if (has(this.output, text)) return true;
      if (ended) throw new Error(`the server ended before it said "${text}":\n${this.output}`);
      return false;
    }, `the output holds "${text}"`);
  }

  /** Asks again and again until `holds` is true, for at most 60 s. */
  eventually(holds: () => Promise<boolean>, what: string): Promise<void> {
    return eventually(holds, () => `${what}\n${this.output.slice(-4000)}`);
  }

  predict(model: string, options: CallOptions = {}): Promise<HttpResult> {
    return call(`${this.inference}/predictions/${model}`, { method: 'POST', ...options });
  }

  manage(method: string, path: string, options: CallOptions = {}): Promise<HttpResult> {
    return call(`${this.management}${path}`, { ...options, method });
  }

  /** Resolves when the log holds `text`: lines are written in blocks, a moment after what they tell of. */
  logHas(name: string, text: string | RegExp): Promise<void> {
    return this.eventually(async () => has(this.log(name), text), `${name} holds "${text}"`);
  }

  log(name: string): string {
    const file = join(this.folder, 'logs', name);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Stops the server if it still runs and removes its folder. */
  async dispose(): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      const patience = setTimeout(() => this.#child?.kill('SIGKILL'), 15_000);
      await this.#exit;
      clearTimeout(patience);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #address(name: string): string {
    const address = this.#addresses.get(name);
    if (address === undefined) throw new Error(`the server told no ${name} address:\n${this.output}`);
    return address;
  }
}

function has(whole: string, text: string | RegExp): boolean {
  return typeof text === 'string' ? whole.includes(text) : text.test(whole);
}

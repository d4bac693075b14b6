import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, relative, resolve } from 'node:path';
import type { AuthorSession } from '../composition/author.js';
import { QUIET_LIBRARIES } from '../composition/backends.js';
import type { Address } from '../config/address.js';
import { resolveSettings } from '../config/resolve.js';
import type { Settings } from '../config/settings.js';
import { ConfigInvalid } from '../errors/config.js';
import { startServer } from '../main.js';
import { createTempFolder } from '../platform/temp-folder.js';
import { contentTypeOf } from './content-type.js';
import { DevConsole } from './dev-console.js';
import { findInterpreter, findTarget, type ModelTarget } from './model-target.js';
import { nextSignal } from './next-signal.js';
import type { FlagSettings } from './server-flags.js';
import { watchedOf } from './watched-files.js';

export interface DevFlags {
  readonly port: string;
  readonly handler?: string;
  readonly python?: string;
}

/**
 * `sconce dev`: serves one model for its author, on loopback and without tokens; its files are watched, and what raises is answered with its traceback.
 * Stays until a signal ends it, and gives 0. Throws ModelPathRefused, ConfigInvalid, BindFailed.
 */
export async function develop(path: string, flags: DevFlags, told: FlagSettings, configFile: string | undefined): Promise<number> {
  const target = findTarget(path);
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  for (const [name, value] of Object.entries(QUIET_LIBRARIES)) process.env[name] ??= value;
  const { settings, warnings } = settingsFor(target, flags, told, configFile);
  const stopping = nextSignal();
  const logs = await createTempFolder('sconce-dev-', process.env.TEMP || tmpdir());
  try {
    const server = await startServer(settings, {
      warnings,
      cwd: process.cwd(),
      env: { LOG_LOCATION: logs.path, METRICS_LOCATION: logs.path, ...process.env },
      print,
      console: new DevConsole(print),
      author: sessionFor(path, target, flags, print),
    });
    await stopping;
    await server.stop();
    return 0;
  } finally {
    await logs.remove();
  }
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/i;

/** What the author gets unless the command line says otherwise; config.properties doesn't reach these. */
function settingsFor(target: ModelTarget, { port, python }: DevFlags, told: FlagSettings, configFile: string | undefined) {
  const address = `http://127.0.0.1:${port}`;
  const own: Readonly<Record<string, string>> = {
    inference_address: address,
    management_address: address,
    metrics_address: 'http://127.0.0.1:0',
    grpc_inference_address: '127.0.0.1',
    grpc_management_address: '127.0.0.1',
    grpc_inference_port: '0',
    grpc_management_port: '0',
    enable_metrics_api: 'false',
    disable_token_authorization: 'true',
    disable_system_metrics: 'true',
    model_store: target.store,
    load_models: '',
    // What its author is writing is not signed yet.
    sconce_signatures: 'off',
    unregister_model_timeout: '1',
    sconce_drain_timeout_s: '2',
  };
  const flags = new Map([...Object.entries(own).map(([key, text]) => [key, { text, where: 'sconce dev' }] as const), ...told]);
  const resolveWith = (all: FlagSettings) => resolveSettings({ flags: all, env: process.env, cwd: process.cwd(), configFile });
  const text = findInterpreter(target, python, resolveWith(flags).settings.python, process.env);
  const resolved = resolveWith(flags.set('python', { text, where: '--python' }));
  refuseOthers(resolved.settings);
  return resolved;
}

/** Without tokens, and with tracebacks in its answers, it is for this machine only. */
function refuseOthers({ inferenceAddress, managementAddress, metricsAddress, grpcInferenceAddress, grpcManagementAddress }: Settings): void {
  const tcp = [inferenceAddress, managementAddress, metricsAddress].filter((address: Address) => address.kind !== 'unix');
  const hosts = [...tcp.map(({ host, text }) => [host, text] as const), ...[grpcInferenceAddress, grpcManagementAddress].map((host) => [host, host] as const)];
  for (const [host, text] of hosts)
    if (!LOOPBACK.test(host)) throw ConfigInvalid({ message: `sconce dev listens on loopback only, not on ${text}; use sconce serve for others` });
}

function sessionFor(path: string, target: ModelTarget, { handler }: DevFlags, print: (line: string) => void): AuthorSession {
  let reached = { curl: 'curl', address: '' };
  let isFirst = true;
  return {
    url: target.url,
    handler,
    folder: target.isFolder ? target.path : target.store,
    wants: watchedOf(target),
    greet: (curl, address) => {
      reached = { curl, address };
      print(`Serving ${path} at ${address} for you alone: on loopback, without tokens, with one worker, and with tracebacks in the answers.`);
      print('A change of its files loads it again. Ctrl-C ends it.');
    },
    listener: {
      changed: (files) => print(`Changed: ${files.slice(0, 5).join(', ')}${files.length > 5 ? ` and ${files.length - 5} more` : ''}`),
      loading: () => {
        if (!isFirst) print('Loading …');
      },
      loaded: (model, ms) => {
        print(`Loaded ${model} in ${(ms / 1000).toFixed(1)} s.${isFirst ? ' Try:' : ''}`);
        if (isFirst) print(`${reached.curl} ${reached.address}/predictions/${encodeURIComponent(model)} ${sampleFor(target)}`);
        isFirst = false;
      },
      failed: (why) => print(`${why.split('\n')[0]}\nRequests are answered with this error until a change mends it.`),
    },
  };
}

/** curl's words for the model's own sample, or for any file. */
function sampleFor({ path, isFolder }: ModelTarget): string {
  const sample = isFolder && existsSync(path) ? readdirSync(path).find((name) => /^sample\.\w+$/.test(name)) : undefined;
  if (sample === undefined) return '-T FILE';
  const shown = relative(process.cwd(), resolve(path, sample)) || basename(sample);
  return `-H 'content-type: ${contentTypeOf(sample)}' --data-binary @${shown}`;
}

import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { chainFiles, headPathOf } from '../admission/audit-files.js';
import { filesOfTrustPolicy } from '../authenticity/read-trust-policy.js';
import type { EnclosureOptions } from '../backends/python/enclosure.js';
import { UserIds } from '../backends/python/user-ids.js';
import { SandboxPolicy } from '../backends/sandbox-policy.js';
import { missingText, readSandboxReport, type SandboxReport } from '../backends/sandbox-report.js';
import type { Settings } from '../config/settings.js';
import type { Protection } from '../observability/protections.js';
import { acceleratorFiles } from '../platform/device-files.js';

/** What encloses the workers of a server. */
export interface Sandbox extends EnclosureOptions {
  readonly policy: SandboxPolicy;
}

/** For a worker without a limit of its memory. */
const DEFAULT_ROOM_BYTES = 2 ** 30;
const PROBE_TIMEOUT_MS = 30_000;
const run = promisify(execFile);

/** The sandbox of a server that keeps `ownFiles`, absolute, to itself. `nameOf`: what a GPU's own tool calls it. */
export function createSandbox(settings: Settings, ownFiles: readonly string[], nameOf: (gpu: number) => string = String): Sandbox {
  const { sandbox, isolation, grants, workerUsers, workerRoomMb } = settings;
  return {
    policy: new SandboxPolicy(sandbox, isolation, grants),
    users: process.getuid?.() === 0 ? new UserIds(workerUsers) : undefined,
    hidden: ownFiles,
    roomBytes: (memoryLimitBytes) => workerRoomMb * 2 ** 20 || Math.floor((memoryLimitBytes ?? 2 * DEFAULT_ROOM_BYTES) / 2),
    devices: (only) => acceleratorFiles(only?.map(nameOf)),
  };
}

/** Where the models run whose files or code aren't the operator's own: told once at start. */
export function isolationProtection({ isolation, grants }: Settings): Protection {
  const name = 'isolation';
  const granted = grants.get('*')?.isolation;
  if ((granted ?? isolation) !== 'thread')
    return { name, holds: true, says: "ONNX models and JavaScript handlers that aren't the operator's own run in processes, not in threads of the server" };
  const says = `ONNX models and JavaScript handlers run in threads of the server, whoever made them; unset ${granted === undefined ? 'sconce_isolation' : 'isolation in sconce_grants'}`;
  return { name, holds: false, says };
}

/** For a model that its author runs on his own machine: enclosed only where a setting says so. */
export function createAuthorSandbox(settings: Settings, ownFiles: readonly string[]): Sandbox | undefined {
  const isAskedFor = [...settings.sources].some(([key, { source }]) => key === 'sconce_sandbox' && source !== 'default');
  return isAskedFor ? createSandbox(settings, ownFiles) : undefined;
}

/** The files and folders that a server reads and writes itself, whose content is no model's business: by the names that they have and by what lies behind links. */
export function serverFiles(settings: Settings, cwd: string, folders: readonly string[]): readonly string[] {
  const { configFile, modelStore, workflowStore, cacheDir, quarantineDir, tokensFile, tenants } = settings;
  const { keystore, privateKeyFile, certificateFile, clientCaFile, trustPolicy } = settings;
  const audit = settings.auditLog === undefined || ['', 'off'].includes(settings.auditLog) ? undefined : resolve(cwd, settings.auditLog);
  const named = [
    'key_file.json',
    'config.properties',
    ...[configFile, modelStore, workflowStore, cacheDir, quarantineDir, tokensFile, tenants],
    ...[keystore, privateKeyFile, certificateFile, clientCaFile],
    ...(trustPolicy === undefined ? [] : filesOfTrustPolicy(resolve(cwd, trustPolicy))),
    ...(audit === undefined ? [] : [audit, headPathOf(audit), ...chainFiles(audit)]),
    ...folders,
  ].flatMap((path) => (path === undefined || path === '' ? [] : [resolve(cwd, path)]));
  return [...new Set(named.flatMap((path) => [path, ...behind(path)]))];
}

/** Where a link of that name leads; nothing where there is none yet. */
function behind(path: string): readonly string[] {
  try {
    return [realpathSync(path)];
  } catch {
    return [];
  }
}

/** Encloses a process as workers will be, and tells what held. */
export async function sandboxProtection(
  sandbox: Sandbox,
  level: Settings['sandbox'],
  {
    interpreter,
    environment,
    pythonHome,
    runDirectory,
  }: Readonly<Record<'interpreter' | 'pythonHome' | 'runDirectory', string>> & {
    readonly environment: Readonly<Record<string, string>>;
  },
): Promise<Protection> {
  const name = 'sandbox';
  if (level === 'off') return { name, holds: false, says: 'handlers have all rights of the server; unset sconce_sandbox' };
  const user = sandbox.users?.take();
  try {
    const args = ['-m', 'sconce_worker.probe', '--run-directory', runDirectory, ...(user === undefined ? [] : ['--user', String(user)])];
    const env = { ...environment, PYTHONPATH: pythonHome };
    const { stdout } = await run(interpreter, args, { cwd: pythonHome, env, timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL' });
    return said(readSandboxReport(JSON.parse(stdout)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return { name, holds: true, says: `${interpreter} was not found: there are no Python workers to enclose` };
    return { name, holds: false, says: `it could not be tried: ${error instanceof Error ? error.message.split('\n').at(0) : String(error)}` };
  } finally {
    if (user !== undefined) sandbox.users?.give(user);
  }
}

function said(report: SandboxReport | undefined): Protection {
  if (report === undefined) return { name: 'sandbox', holds: false, says: 'it could not be tried: the probe told no report' };
  const held = `workers are held in: ${report.held.join(', ')}`;
  if (Object.keys(report.missing).length === 0) return { name: 'sandbox', holds: true, says: held };
  return { name: 'sandbox', holds: false, says: `not held here: ${missingText(report)}; ${held}` };
}

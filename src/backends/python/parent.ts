import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { BackendUnavailable } from '../../errors/backend.js';
import type { WorkerLimits } from '../../inference/worker-limits.js';
import type { Log } from '../../observability/observer.js';
import type { ControlGroups } from '../../platform/control-groups.js';
import { OutputLines } from '../../platform/output-lines.js';
import { killWithGroup } from '../../platform/processes.js';
import { STRUCK, type Struck } from './confinement.js';
import type { EnclosureWish } from './enclosure.js';

/** What the parent needs to make a worker; see python/sconce_worker/worker_setup.py. */
export interface ForkOrder {
  readonly worker: number;
  readonly nonce: string;
  readonly socket_path: string;
  readonly title: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly python_path: readonly string[];
  readonly directory: string;
  /** Processors to be bound to; none: all. */
  readonly cores: readonly number[];
  /** Arguments of an interpreter that starts a group of ranks in the worker's place. */
  readonly launch?: readonly string[];
  /** The name of its tenant's control group; '' where it has none. */
  readonly tenant: string;
  /** What is undefined is not sent, and not limited. */
  readonly limits: Omit<WorkerLimits, 'logBytesPerS'>;
  /** The words of another program that becomes the worker, its path first; none for Python. */
  readonly program: readonly string[];
  /** How many ranks a group has; 0 for a worker alone. */
  readonly ranks: number;
  /** undefined: the worker has all rights of the server. */
  readonly enclosure: EnclosureWish | undefined;
}

/** How a worker's process ended. All undefined when the parent ended first and couldn't tell. */
export interface ProcessEnd {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly memoryPeakBytes: number | undefined;
  readonly struck: Struck;
}

export interface ProcessWatch {
  forked(pid: number): void;
  /** Once, and last. */
  exited(end: ProcessEnd): void;
}

export interface ParentFacts {
  readonly python: string;
  /** Top-level modules that are there only because the parent imported torch. */
  readonly warmModules: ReadonlySet<string>;
  /** Sandboxed workers get roots of their own. */
  readonly ownRoots: boolean;
}

export interface ParentOptions {
  readonly interpreter: string;
  readonly pythonHome: string;
  readonly runDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly withTorch: boolean;
  /** The interpreter of an environment that workers enter when they are enclosed, and the parent never. */
  readonly virtualEnvironment: string | undefined;
  readonly groups: ControlGroups | undefined;
  /** Gets ready to enclose workers in sandboxes. */
  readonly encloses: boolean;
  /** Called whenever the last worker has gone. */
  readonly onIdle: () => void;
  readonly log: Log;
}

/** The name of a worker's control group below the server's, '' for none. */
const GROUP = /^$|^(?:tenant-[^/]+\/)?(?:worker|spare)-[\d-]+$/;

const parentEvent = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('ready'),
    pid: z.int(),
    python: z.string(),
    warmModules: z.array(z.string()),
    torchProblem: z.string().nullable(),
    ownRoots: z.boolean(),
  }),
  z.object({ event: z.literal('forked'), worker: z.int(), pid: z.int().min(2), group: z.string().regex(GROUP) }),
  z.object({ event: z.literal('unborn'), worker: z.int(), why: z.string() }),
  z.object({
    event: z.literal('exited'),
    worker: z.int(),
    code: z.int().nullable(),
    signal: z.string().nullable(),
    struck: z.enum(STRUCK),
    maxRssBytes: z.number().min(0),
  }),
]);

const START_WITHIN_MS = 120_000;
const END_WITHIN_MS = 4_000;
const EVENT_LIMIT_BYTES = 256 * 1024;
export const UNKNOWN_END: ProcessEnd = { code: undefined, signal: undefined, memoryPeakBytes: undefined, struck: 'unknown' };

/**
 * A warm parent process and the line to it.
 *
 *  state      event → next                          promise while here
 *  starting   `ready` → ready, 120 s → ended        fork() and kill() are carried out once it is ready, in order
 *  ready      end() or its death → ended            every forked worker's exit is reported
 *  ended      –                                     no process of it lives; what it hadn't reported was reported as unknown
 */
export class WarmParent {
  /** Rejects with BackendUnavailable when the interpreter doesn't start or ends first. */
  readonly ready: Promise<ParentFacts>;
  /** Resolves when the process has ended. */
  readonly gone: Promise<void>;
  #alive = true;
  #lastWords = '';
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #workers = new Map<number, { readonly watch: ProcessWatch; group: string; pid: number | undefined }>();

  constructor(private readonly options: ParentOptions) {
    const { interpreter, pythonHome, runDirectory, environment, withTorch, virtualEnvironment, groups, encloses, log } = options;
    const args = ['-u', '-m', 'sconce_worker.parent', '--run-directory', runDirectory, ...(withTorch ? [] : ['--without-torch'])];
    if (virtualEnvironment !== undefined) args.push('--late-site', virtualEnvironment);
    if (groups !== undefined) args.push('--control-groups', JSON.stringify(foldersOf(groups)));
    if (encloses) args.push('--encloses');
    // Detached: a session of its own, so that a signal from the terminal reaches the gateway alone.
    const words = virtualEnvironment === undefined ? args : ['-S', ...args];
    this.#child = spawn(interpreter, words, { cwd: pythonHome, env: environment, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const child = this.#child;
    const errors = new OutputLines((line) => {
      this.#lastWords = line;
      log.warn(`Python parent: ${line}`);
    });
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    // EPIPE of a parent that has gone: `close` tells of that.
    child.stdin.on('error', () => undefined);
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
    });
    this.gone = new Promise((resolve) => {
      child.on('close', () => {
        this.#ended();
        resolve();
      });
    });
    this.ready = new Promise((resolve, reject) => {
      const refuse = (why: string) => reject(BackendUnavailable({ backend: 'python', why: `${interpreter}: ${why}` }, failure));
      const patience = setTimeout(() => {
        refuse(`not ready within ${START_WITHIN_MS / 1000} s`);
        this.#destroy();
      }, START_WITHIN_MS);
      const events = new OutputLines((line) => this.#event(line, resolve), EVENT_LIMIT_BYTES);
      child.stdout.on('data', (chunk: Buffer) => events.push(chunk));
      void this.gone.then(() => refuse(failure?.message ?? (this.#lastWords || 'it ended at once')));
      const settled = () => clearTimeout(patience);
      void this.gone.then(settled);
      child.stdout.once('data', settled);
    });
    // Whoever needs the parent hears of it; nobody may have asked yet.
    this.ready.catch(() => undefined);
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get workers(): number {
    return this.#workers.size;
  }

  fork(order: ForkOrder, watch: ProcessWatch): void {
    if (!this.#alive) return watch.exited(UNKNOWN_END);
    this.#workers.set(order.worker, { watch, group: '', pid: undefined });
    this.#tell({ do: 'fork', order });
  }

  /** SIGKILL to the worker and all that it started. Does nothing when it has ended. */
  kill(worker: number): void {
    if (this.#workers.has(worker)) this.#tell({ do: 'kill', worker });
  }

  /** Ends the process and whatever workers it still has; at most 4 s. */
  async end(): Promise<void> {
    if (!this.#alive) return;
    this.#tell({ do: 'end' });
    const patience = setTimeout(() => this.#destroy(), END_WITHIN_MS);
    await this.gone;
    clearTimeout(patience);
  }

  #tell(command: object): void {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  #event(line: string, ready: (facts: ParentFacts) => void): void {
    const event = parseEvent(line);
    if (event === undefined) {
      this.options.log.error(`The Python parent ${this.#child.pid} said what it may not say, and is ended.`);
      return this.#destroy();
    }
    if (event.event === 'ready') {
      const { python, torchProblem, warmModules, ownRoots } = event;
      if (torchProblem !== null) this.options.log.info(`${this.options.interpreter} has no torch to import in advance (${torchProblem}).`);
      return ready({ python, warmModules: new Set(warmModules), ownRoots });
    }
    const worker = this.#workers.get(event.worker);
    if (worker === undefined) return;
    if (event.event === 'forked') {
      worker.pid = event.pid;
      worker.group = event.group;
      return worker.watch.forked(event.pid);
    }
    this.#workers.delete(event.worker);
    if (event.event === 'unborn') {
      this.options.log.error(`No worker process could be made: ${event.why}`);
      worker.watch.exited(UNKNOWN_END);
    } else {
      const { code, signal, maxRssBytes, struck } = event;
      worker.watch.exited({ code: code ?? undefined, signal: signal ?? undefined, memoryPeakBytes: maxRssBytes, struck });
    }
    if (this.#workers.size === 0) this.options.onIdle();
  }

  #ended(): void {
    this.#alive = false;
    const orphans = [...this.#workers.values()];
    this.#workers.clear();
    for (const { watch, group, pid } of orphans) {
      // On Linux the kernel has killed it with its parent, but not what it had started.
      killWithGroup(pid);
      if (group !== '') void this.options.groups?.end(group);
      watch.exited(UNKNOWN_END);
    }
  }

  #destroy(): void {
    killWithGroup(this.#child.pid);
  }
}

/** What a parent makes and enters. Under v2 the folder that binds to processors is the one for everything else. */
function foldersOf({ version, folders, cores }: ControlGroups): Readonly<Record<string, string>> {
  return version === 1 && cores !== undefined ? { ...folders, cpuset: cores } : folders;
}

function parseEvent(line: string): z.infer<typeof parentEvent> | undefined {
  try {
    return parentEvent.parse(JSON.parse(line));
  } catch {
    // Neither JSON nor an event: the caller ends the parent.
    return undefined;
  }
}

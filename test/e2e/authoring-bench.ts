import { type ChildProcessWithoutNullStreams, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';

const SCONCE = join(ROOT, 'bin', 'sconce');

export interface CommandSetting {
  /** The bench's folder where left out. */
  readonly cwd?: string;
  readonly input?: string;
}

/** A variable that every process of a command has: Python's own are handed on to the parent of workers. */
type Mark = Readonly<Record<'PYTHON_TEST_MARK', string>>;

/** A command that runs, and the mark of its processes. */
export interface Spawned {
  readonly child: ChildProcessWithoutNullStreams;
  readonly mark: Mark;
}

/** A folder in which models are written and the commands of an author run. `close` leaves nothing behind. */
export class AuthoringBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'sconce-authoring-'));
  /** Where commands keep what they need while they run. */
  readonly runFolder = join(this.folder, 'run');
  readonly #environment: Readonly<Record<string, string | undefined>>;
  #starters = 0;

  constructor() {
    mkdirSync(this.runFolder);
    const { PYTHONPATH: _, NODE_OPTIONS: __, ...rest } = process.env;
    // Vitest's own marks make `node --test` believe that it runs inside another test.
    const own = Object.fromEntries(Object.entries(rest).filter(([name]) => !/^(VITEST|NODE_TEST|TEST|NODE_V8)/.test(name)));
    const path = `${join(ROOT, 'bin')}:${process.env.PATH}`;
    this.#environment = { ...own, PATH: path, PYTHON, TEMP: this.runFolder, XDG_CACHE_HOME: join(this.folder, 'cache') };
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  run(command: readonly string[], { cwd = this.folder, input = '' }: CommandSetting = {}): SpawnSyncReturns<string> {
    const [program = '', ...args] = command;
    return spawnSync(program, args, { cwd, input, env: this.#environment, encoding: 'utf8', timeout: 100_000 });
  }

  sconce(args: readonly string[], setting: CommandSetting = {}): SpawnSyncReturns<string> {
    return this.run([process.execPath, SCONCE, ...args], setting);
  }

  /** Starts `sconce` and doesn't wait for its end. */
  spawned(args: readonly string[], cwd = this.folder): Spawned {
    const mark = { PYTHON_TEST_MARK: crypto.randomUUID() };
    return { mark, child: spawn(process.execPath, [SCONCE, ...args], { cwd, env: { ...this.#environment, ...mark }, stdio: 'pipe' }) };
  }

  /** A fresh starter in a folder of its own; gives its path. */
  starter(kind: string): string {
    this.#starters += 1;
    const name = `points${this.#starters}`;
    const { status, stderr } = this.sconce(['new', name, '--kind', kind]);
    if (status !== 0) throw new Error(stderr);
    return join(this.folder, name);
  }
}

/** Command lines of the processes that have the mark. */
export function processesWith({ PYTHON_TEST_MARK: mark }: Mark): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const isAlive = !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1')) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
        return isAlive ? [readFileSync(`/proc/${pid}/cmdline`, 'latin1')] : [];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}

import { execFile } from 'node:child_process';
import { realpath, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { PythonNotListed, PythonUnusable } from '../../errors/model.js';
import type { ServableModel } from '../../inference/servable-model.js';

export interface InterpreterOptions {
  /** Of models with runtime `python` that name none: a path, or a name to be found on PATH. */
  readonly interpreter: string;
  /** `sconce_pythons`: those that a model may name. */
  readonly named: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string>>;
}

/** What is known of an interpreter that was asked. */
export interface InterpreterFacts {
  readonly interpreter: string;
  /** `3.11.7` */
  readonly version: string;
  /** Differs from that of any other interpreter, and from its own after it was replaced. */
  readonly identity: readonly string[];
  /** Folders in which it finds packages, absolute. */
  readonly packageFolders: readonly string[];
  /** Where a virtual environment made by it has its packages, relative to the environment's folder. */
  readonly packagesInVenv: string;
  /** Modules that it should have and hasn't. */
  readonly lacks: readonly ('pip' | 'venv' | 'ensurepip')[];
}

const PROBE_TIMEOUT_MS = 15_000;
/** Anything that runs at start-up may print before the last line, even half a line. An interpreter that is too old only has to tell that. */
const PROBE = `
import json, sys
facts = {"version": ".".join(map(str, sys.version_info[:3])), "served": (3, 9) <= sys.version_info[:2] <= (3, 13)}
if facts["served"]:
    import importlib.util, site, sysconfig
    facts.update(
        executable=sys.executable,
        identity=[sys.version, sys.prefix, sysconfig.get_platform(), sys.implementation.cache_tag or ""],
        packageFolders=([site.getusersitepackages()] if site.ENABLE_USER_SITE else []) + site.getsitepackages(),
        packagesInVenv=sysconfig.get_path("purelib", "posix_prefix", {"base": "", "platbase": ""}).lstrip("/"),
        lacks=[name for name in ("pip", "venv", "ensurepip") if importlib.util.find_spec(name) is None],
    )
print("\\n" + json.dumps(facts))
`;

const told = z.discriminatedUnion('served', [
  z.object({ served: z.literal(false), version: z.string() }),
  z.object({
    served: z.literal(true),
    version: z.string(),
    executable: z.string().min(1),
    identity: z.array(z.string()),
    packageFolders: z.array(z.string()),
    packagesInVenv: z.string().regex(/^\w/),
    lacks: z.array(z.enum(['pip', 'venv', 'ensurepip'])),
  }),
]);

const run = promisify(execFile);

/** The interpreters of this machine that models may run on. Each is asked once what it is; one that failed, when it is next needed. */
export class Interpreters {
  readonly #known = new Map<string, Promise<InterpreterFacts>>();

  constructor(private readonly options: InterpreterOptions) {}

  /** The interpreter that a model runs on, not yet looked at. Throws PythonNotListed. */
  of({ name, runtime, config }: ServableModel): string {
    const { interpreter, named } = this.options;
    const python = config.sconce.python;
    if (python === undefined) return runtime === 'python3' ? 'python3' : interpreter;
    const listed = named.get(python);
    if (listed === undefined) throw PythonNotListed({ model: name, python, listed: [...named.keys()] });
    return listed;
  }

  /** Runs an interpreter and asks it what it is. Rejects with PythonUnusable. */
  facts(interpreter: string): Promise<InterpreterFacts> {
    let asked = this.#known.get(interpreter);
    if (asked === undefined) {
      asked = this.#ask(interpreter);
      this.#known.set(interpreter, asked);
      asked.catch(() => this.#known.delete(interpreter));
    }
    return asked;
  }

  async #ask(interpreter: string): Promise<InterpreterFacts> {
    const unusable = (why: string, cause?: unknown) => PythonUnusable({ interpreter, why }, cause);
    // Not in the server's working directory, where a json.py may lie.
    const options = { cwd: '/', env: this.options.environment, timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL' as const };
    const { stdout } = await run(interpreter, ['-c', PROBE], options).catch((error: unknown) => {
      throw unusable(failure(error), error);
    });
    const parsed = told.safeParse(lastJson(stdout));
    if (!parsed.success) throw unusable('it does not answer like a Python interpreter', parsed.error);
    const facts = parsed.data;
    if (!facts.served) throw unusable(`it is Python ${facts.version}; 3.9 to 3.13 can serve models`);
    const file = await realpath(facts.executable).catch(() => facts.executable);
    const found = await stat(file).catch(() => undefined);
    const identity = [...facts.identity, facts.executable, file, String(found?.size), String(found?.mtimeMs)];
    return { ...facts, interpreter, identity };
  }
}

function lastJson(output: string): unknown {
  try {
    return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '');
  } catch {
    // Not JSON, hence no facts: the schema says so.
    return undefined;
  }
}

const ended = z.object({ code: z.unknown(), killed: z.boolean().nullish(), stderr: z.string().nullish() });

function failure(error: unknown): string {
  const { code, killed, stderr } = ended.parse(error);
  if (code === 'ENOENT') return 'it was not found';
  if (code === 'EACCES') return 'it may not be run';
  if (killed) return `it gave no answer within ${PROBE_TIMEOUT_MS / 1000} s`;
  return stderr?.trimEnd().split('\n').at(-1) || `it ended with ${String(code)}`;
}

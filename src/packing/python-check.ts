import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { handlerFolder } from '../backends/python/worker-environment.js';
import { PackRefused } from '../errors/packing.js';
import { killWithGroup } from '../platform/processes.js';
import { BUILT_IN_HANDLERS, handlerModule } from './built-in-handlers.js';
import type { Finding } from './finding.js';
import { weightsFindings } from './handler-findings.js';
import type { ModelDescription } from './model-description.js';
import { normalizedName } from './requirements-findings.js';

export interface PythonCheck {
  readonly model: ModelDescription;
  /** Where the files lie. */
  readonly directory: string;
  /** Names at the top of the archive, folders with a slash behind. */
  readonly topNames: readonly string[];
  readonly interpreter: string;
  /** The user named the interpreter: one that doesn't start is an error then. */
  readonly isInterpreterNamed: boolean;
  /** As pip compares names. */
  readonly required: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const report = z.object({
  python: z.string(),
  shadows: z.array(z.object({ name: z.string(), of: z.string() })),
  pickleRefuses: z.array(z.string()),
  handler: z.object({
    failure: z.object({ lines: z.array(z.string()), missingModule: z.string().nullable() }).nullable(),
    base: z.object({ loadsItself: z.boolean(), loadsPickledItself: z.boolean() }).nullable(),
  }),
  modelFile: z.object({ classes: z.array(z.string()), failure: z.string().nullable() }).nullable(),
});
type Report = z.infer<typeof report>;

const PYTHON_HOME = fileURLToPath(new URL('../../python', import.meta.url));
/** As long as a server lets a worker start. */
const CHECK_WITHIN_MS = 120_000;
const MAX_OUTPUT_CHARS = 64 * 1024;
const LAST_LINES = 10;
const NOT_CHECKED = 'Mend it, name another interpreter with --python, or pack all the same with --no-check.';

/** Imports the handler with the model's interpreter. Rejects with PackRefused, holding the handler's own lines of the traceback, when that fails. */
export async function checkPythonHandler(check: PythonCheck): Promise<readonly Finding[]> {
  const { handler } = check.model;
  if (handler === undefined) return [];
  const ran = await run(check, handler);
  if (typeof ran !== 'string') return findingsOf(ran, check, handler);
  if (check.isInterpreterNamed) throw PackRefused({ message: `${check.interpreter} cannot be run: ${ran}` });
  return [
    { code: 'handler-not-checked', message: `the handler was not imported: ${check.interpreter} cannot be run (${ran}): name an interpreter with --python` },
  ];
}

/** The report, or why there is no interpreter. */
async function run({ model, directory, topNames, interpreter, env }: PythonCheck, handler: string): Promise<Report | string> {
  const inherited = (env.PYTHONPATH ?? '').split(':').filter((entry) => entry !== '');
  const order = {
    directory,
    handler,
    python_path: [...handlerFolder(handler), ...inherited, directory, PYTHON_HOME],
    model_file: model.modelFile ?? null,
    serialized_file: model.serializedFile === undefined ? null : join(directory, model.serializedFile),
    top_names: topNames,
  };
  const child = spawn(interpreter, ['-u', '-m', 'sconce_worker.check_handler'], {
    cwd: PYTHON_HOME,
    env: { ...env, PYTHONPATH: [PYTHON_HOME, ...inherited].join(':') },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    // A group of its own, so that what the handler starts ends with it.
    detached: true,
  });
  const told = collect(child.stdio[3] as Readable);
  const output = collect(child.stdout as Readable, child.stderr as Readable);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(JSON.stringify(order));
  const end = await ended(child);
  if (end instanceof Error) return end.message;
  try {
    return report.parse(JSON.parse(told()));
  } catch {
    const last = output().trimEnd().split('\n').slice(-LAST_LINES).join('\n');
    throw PackRefused({ message: `${last === '' ? '' : `${last}\n`}The handler ${handler} ${end} while ${interpreter} imported it.\n${NOT_CHECKED}` });
  }
}

function findingsOf(
  { python, handler: { failure, base }, modelFile, shadows, pickleRefuses }: Report,
  check: PythonCheck,
  handler: string,
): readonly Finding[] {
  const { model, interpreter, required } = check;
  const findings: Finding[] = [];
  const add = (code: string, message: string) => findings.push({ code, message });
  const isBuiltIn = BUILT_IN_HANDLERS.has(handlerModule(handler)) && !check.topNames.includes(`${handlerModule(handler)}.py`);
  if (failure !== null) {
    const { lines, missingModule } = failure;
    const isExpected = missingModule !== null && (isBuiltIn || required.has(normalizedName(missingModule.split('.')[0] ?? '')));
    if (!isExpected) {
      const what = `The handler ${handler} cannot be imported by ${interpreter} (Python ${python}):`;
      throw PackRefused({ message: [what, ...lines, NOT_CHECKED].join('\n') });
    }
    add('handler-not-checked', `the handler was not imported: ${interpreter} has no ${missingModule}: name an interpreter that has it with --python`);
  }
  if (base !== null && !base.loadsItself && !isBuiltIn) findings.push(...weightsFindings(model));
  if (modelFile !== null && (isBuiltIn || (base !== null && !base.loadsItself && !base.loadsPickledItself))) {
    const { classes } = modelFile;
    if (modelFile.failure !== null) {
      if (!isBuiltIn || !/^ModuleNotFoundError/.test(modelFile.failure))
        add('model-file', `${model.modelFile} cannot be imported (${modelFile.failure}): mend it`);
    } else if (classes.length !== 1) {
      const found = classes.length === 0 ? 'no class' : `${classes.length} classes (${classes.join(', ')})`;
      add('model-file', `${model.modelFile} defines ${found}, and the handler takes a file with exactly one: keep the model alone in it and import the rest`);
    }
  }
  if (pickleRefuses.length > 0 && (model.modelFile !== undefined || isBuiltIn))
    add('pickle', `${model.serializedFile} holds more than tensors (${pickleRefuses.join(', ')}), which torch.load refuses: save model.state_dict() instead`);
  for (const { name, of } of shadows) add('shadows', `${name} has the name of a module of ${of}, so that code which needs that one may get yours: rename it`);
  return findings;
}

function collect(...streams: readonly Readable[]): () => string {
  let text = '';
  for (const stream of streams) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      text = (text + chunk).slice(-MAX_OUTPUT_CHARS);
    });
    stream.on('error', () => undefined);
  }
  return () => text;
}

/** How it ended, in words; the error of one that never started. */
function ended(child: ChildProcess): Promise<string | Error> {
  return new Promise((resolve) => {
    let isLate = false;
    const patience = setTimeout(() => {
      isLate = true;
      if (child.pid !== undefined) killWithGroup(child.pid);
    }, CHECK_WITHIN_MS);
    child.on('error', resolve);
    child.on('exit', (code, signal) => {
      clearTimeout(patience);
      // What the handler started may hold the pipes open.
      if (child.pid !== undefined) killGroup(child.pid);
      const how = isLate ? `did not come back within ${CHECK_WITHIN_MS / 1000} s` : `ended the interpreter (${signal ?? `exit code ${code}`})`;
      child.on('close', () => resolve(how));
    });
  });
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // ESRCH: nothing of it is left.
  }
}

import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { askOnce } from '../composition/ask-once.js';
import { QUIET_LIBRARIES } from '../composition/backends.js';
import { resolveSettings } from '../config/resolve.js';
import { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';
import type { Log } from '../observability/observer.js';
import { contentTypeOf } from './content-type.js';
import { localRequest } from './local-request.js';
import { findInterpreter, findTarget, ModelPathRefused } from './model-target.js';
import { nextSignal } from './next-signal.js';
import { PrintedAnswer } from './printed-answer.js';
import type { FlagSettings } from './server-flags.js';
import { isForTheAuthor } from './worker-lines.js';

export interface RunFlags {
  readonly file?: string;
  readonly type?: string;
  readonly header?: readonly string[];
  readonly handler?: string;
  readonly python?: string;
  readonly explain?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/**
 * `sconce run`: asks a model once, with no server, and prints the body of its answer. What the model's code writes goes to standard error. Exit code 0; 1 for
 * any status but 2xx and for a model that cannot be loaded; 130 or 143 when a signal ended it.
 */
export async function runModel(path: string, flags: RunFlags, settingFlags: FlagSettings, configFile: string | undefined): Promise<number> {
  const target = findTarget(path);
  const { settings } = resolveSettings({ flags: settingFlags, env: process.env, cwd: process.cwd(), configFile });
  for (const [name, value] of Object.entries(QUIET_LIBRARIES)) process.env[name] ??= value;
  const headers = (flags.header ?? []).map(headerPair);
  const body = await readInput(flags.file);
  const answer = new PrintedAnswer(flags.json === true);
  const aborted = new AbortController();
  let exitCode: number | undefined;
  void nextSignal().then((code) => {
    exitCode = code;
    aborted.abort();
  });
  const say = flags.quiet ? () => undefined : (line: string) => void process.stderr.write(`${line}\n`);
  try {
    const outcome = await askOnce(
      {
        settings,
        env: process.env,
        cwd: process.cwd(),
        store: target.store,
        url: target.url,
        handler: flags.handler,
        interpreter: findInterpreter(target, flags.python, settings.python, process.env),
        output: (line) => void (isForTheAuthor(line) && say(`${target.url} | ${line}`)),
        log: quietLog(say),
        aborted: aborted.signal,
      },
      {
        request: ({ name }) =>
          localRequest({
            model: name,
            body,
            type: flags.type ?? contentTypeOf(flags.file),
            headers,
            explain: flags.explain === true,
            cancelled: aborted.signal,
          }),
        part: (part) => answer.part(part),
      },
    );
    return exitCode ?? answer.end(outcome, flags.quiet === true);
  } catch (error) {
    if (exitCode !== undefined) return exitCode;
    if (!(error instanceof SconceError)) throw error;
    return answer.end({ kind: 'failed', error }, flags.quiet === true);
  }
}

async function readInput(file: string | undefined): Promise<Uint8Array> {
  if (file !== undefined && file !== '-') return readFile(file);
  if (process.stdin.isTTY) throw ModelPathRefused({ message: 'What shall the model be asked? Give a file with -f, or pipe something in.' });
  return buffer(process.stdin);
}

function headerPair(text: string): HeaderPair {
  const at = text.indexOf('=');
  if (at <= 0) throw ModelPathRefused({ message: `--header ${text}: a header is written name=value.` });
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Warnings and errors of the server's own parts. */
function quietLog(say: (line: string) => void): Log {
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message) => say(`sconce: ${message}`),
    error: (message) => say(`sconce: ${message}`),
    named: () => log,
  };
  return log;
}

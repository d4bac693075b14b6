import type { LineSink } from '../observability/line-writer.js';
import { isForTheAuthor } from './worker-lines.js';

const LINE = /^\S+ \[(\w+) *\] (\S+) (\S+) - (.*)$/s;
const ACCESS = /^\S+ "(\S+) (\S+) \S+" (\d+) (\d+)$/;
/** The session tells of loads itself. */
const LOAD_FAILURE = /^(W-\S+ could not load: |Backend worker error: \S+ ended: |Retry worker: )/;

/**
 * The log of a server as the author of its one model wants it: what the model says, each request in a line, and what is wrong. A line that goes on an event
 * (a stack) is shown where its event is.
 */
export class DevConsole implements LineSink {
  #shows = false;

  constructor(private readonly print: (line: string) => void) {}

  write(text: string): void {
    for (const line of text.replace(/\n$/, '').split('\n')) {
      const [, level = '', , logger = '', message = ''] = LINE.exec(line) ?? [];
      if (logger === '') {
        if (this.#shows) this.print(line);
        continue;
      }
      const shown = shownLine(level, logger, message);
      this.#shows = shown !== undefined;
      if (shown !== undefined) this.print(shown);
    }
  }
}

function shownLine(level: string, logger: string, message: string): string | undefined {
  if (logger === 'MODEL_LOG') return isForTheAuthor(message) ? `  | ${message}` : undefined;
  if (logger === 'ACCESS_LOG') {
    const [, method, target, status, ms] = ACCESS.exec(message) ?? [];
    return method === undefined ? undefined : `${method} ${target} ${status} ${ms} ms`;
  }
  if ((level !== 'WARN' && level !== 'ERROR') || LOAD_FAILURE.test(message)) return undefined;
  return `sconce: ${message}`;
}

import type { LogFiles } from './log-files.js';
import type { Log } from './observer.js';

/** The server log over TorchServe's files. Debug lines are kept, as TorchServe keeps those of its own packages. */
export function serverLog(files: LogFiles, logger: string): Log {
  return {
    debug: (message) => files.server('DEBUG', logger, message),
    info: (message) => files.server('INFO', logger, message),
    warn: (message) => files.server('WARN', logger, message),
    error: (message, error) => files.server('ERROR', logger, error instanceof Error ? `${message}\n${error.stack ?? error.message}` : message),
    named: (name) => serverLog(files, name),
  };
}

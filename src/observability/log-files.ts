import { join } from 'node:path';
import { type LineSink, LineWriter } from './line-writer.js';
import { printable } from './printable.js';
import { RollingFile } from './rolling-file.js';
import { logTimestamp } from './timestamp.js';

export type Level = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

export interface LogFilesOptions {
  /** Folder of access_log.log, ts_log.log and model_log.log. */
  readonly logFolder: string;
  /** Folder of model_metrics.log and ts_metrics.log. */
  readonly metricsFolder: string;
  /** Also write sconce_log.json, one JSON object a line. */
  readonly json: boolean;
  /** Where the console's lines go: standard output, in the server. */
  readonly console: LineSink;
}

/**
 * TorchServe's five log files and its console, in its formats. access and metrics: `{time} - {message}`; ts, model and console:
 * `{time} [{LEVEL}] {thread} {logger} - {message}`. Line breaks in a message of the server log are kept, as log4j keeps them, and what follows one is set in:
 * no text of somebody else looks like a line of its own, and none has control characters for the terminal that shows it.
 */
export class LogFiles {
  readonly #files: RollingFile[] = [];
  readonly #writers: LineWriter[] = [];
  readonly #console: LineWriter;
  readonly #access: LineWriter;
  readonly #server: LineWriter;
  readonly #model: LineWriter;
  readonly #modelMetrics: LineWriter;
  readonly #serverMetrics: LineWriter;
  readonly #json: LineWriter | undefined;
  #apartTenants: ReadonlySet<string> = new Set();
  readonly #tenants = new Map<string, LineWriter>();

  constructor(private readonly options: LogFilesOptions) {
    const file = (folder: string, name: string): LineWriter => this.#file(join(folder, name));
    this.#console = this.#writer(options.console);
    this.#access = file(options.logFolder, 'access_log.log');
    this.#server = file(options.logFolder, 'ts_log.log');
    this.#model = file(options.logFolder, 'model_log.log');
    this.#modelMetrics = file(options.metricsFolder, 'model_metrics.log');
    this.#serverMetrics = file(options.metricsFolder, 'ts_metrics.log');
    this.#json = options.json ? file(options.logFolder, 'sconce_log.json') : undefined;
  }

  /** From now on what workers of these tenants say stands in files of their own: `tenants/{name}/model_log.log` and `model_metrics.log`. */
  keepApart(tenants: readonly string[]): void {
    this.#apartTenants = new Set(tenants);
  }

  access(message: string, facts: Readonly<Record<string, unknown>>): void {
    const atMs = Date.now();
    const time = logTimestamp(atMs);
    const line = printable(message.replace(/[\r\n]/g, ' '));
    this.#access.line(`${time} - ${line}`);
    this.#console.line(`${time} [INFO ] http ACCESS_LOG - ${line}`);
    this.#json?.line(JSON.stringify({ time: new Date(atMs).toISOString(), log: 'access', ...facts }));
  }

  server(level: Level, logger: string, message: string): void {
    this.#serverEvent(level, logger, message, message.split('\n').map(printable).join('\n\t'));
  }

  /** An event of many lines of the server's own, as they are. */
  report(logger: string, text: string): void {
    this.#serverEvent('INFO', logger, text, text);
  }

  /** Of a worker of this tenant, if it has one whose logs are apart. */
  model(level: Level, thread: string, message: string, tenant?: string): void {
    const atMs = Date.now();
    const line = `${logTimestamp(atMs)} [${level.padEnd(5)}] ${thread} MODEL_LOG - ${printable(message)}`;
    this.#apart(tenant, 'model', this.#model).line(line);
    this.#console.line(line);
    this.#json?.line(JSON.stringify({ time: new Date(atMs).toISOString(), log: 'model', level, thread, message, tenant }));
  }

  modelMetric(message: string, tenant?: string): void {
    this.#apart(tenant, 'metrics', this.#modelMetrics).line(`${logTimestamp(Date.now())} - ${printable(message)}`);
  }

  serverMetric(message: string): void {
    this.#serverMetrics.line(`${logTimestamp(Date.now())} - ${printable(message)}`);
  }

  flush(): void {
    for (const writer of this.#writers) writer.flush();
  }

  async close(): Promise<void> {
    this.flush();
    await Promise.all(this.#files.map((file) => file.close()));
  }

  #serverEvent(level: Level, logger: string, message: string, shown: string): void {
    const atMs = Date.now();
    const line = `${logTimestamp(atMs)} [${level.padEnd(5)}] main ${logger} - ${shown}`;
    this.#server.line(line);
    this.#console.line(line);
    this.#json?.line(JSON.stringify({ time: new Date(atMs).toISOString(), log: 'server', level, logger, message }));
  }

  /** The file of one tenant, opened with its first line; the file of all where it can't be. */
  #apart(tenant: string | undefined, kind: 'model' | 'metrics', ofAll: LineWriter): LineWriter {
    if (tenant === undefined || !this.#apartTenants.has(tenant)) return ofAll;
    const key = `${tenant}/${kind}`;
    let writer = this.#tenants.get(key);
    if (writer === undefined) {
      const { logFolder, metricsFolder } = this.options;
      const path = kind === 'model' ? join(logFolder, 'tenants', tenant, 'model_log.log') : join(metricsFolder, 'tenants', tenant, 'model_metrics.log');
      try {
        writer = this.#file(path);
      } catch (error) {
        writer = ofAll;
        this.server('ERROR', 'sconce', `${path} cannot be written, its lines go to those of all: ${error instanceof Error ? error.message : String(error)}`);
      }
      this.#tenants.set(key, writer);
    }
    return writer;
  }

  #file(path: string): LineWriter {
    const rolling = new RollingFile(path);
    this.#files.push(rolling);
    return this.#writer(rolling);
  }

  #writer(sink: LineSink): LineWriter {
    const writer = new LineWriter(sink);
    this.#writers.push(writer);
    return writer;
  }
}

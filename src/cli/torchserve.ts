import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseProperties } from '../config/properties.js';
import { TORCHSERVE_VERSION } from '../version.js';
import { isAlive, recordedPid, removePidFile, runningServer, SERVER_ENTRY, writePidFile } from './pid-file.js';
import { stopServer } from './stop.js';
import { help, parseTorchServeArguments, type TorchServeArguments, UsageError, usage } from './torchserve-arguments.js';

/** The `torchserve` command: TorchServe's flags, messages, PID file and exit codes. */
export async function main(args: readonly string[]): Promise<number> {
  let wish: TorchServeArguments;
  try {
    wish = parseTorchServeArguments(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${usage()}\ntorchserve: error: ${error.message}\n`);
    return 2;
  }
  if (wish.help) {
    process.stdout.write(help());
    return 0;
  }
  removeOrphan();
  if (wish.version) {
    say(`TorchServe Version is ${TORCHSERVE_VERSION}`);
    return 0;
  }
  return wish.stop ? stopServer({ foreground: wish.foreground }) : start(wish);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The PID file is looked at before any flag, as TorchServe does. */
function removeOrphan(): void {
  const pid = recordedPid(process.env);
  if (pid === undefined || isAlive(pid)) return;
  say('Removing orphan pid file.');
  removePidFile(process.env);
}

async function start(wish: TorchServeArguments): Promise<number> {
  if (runningServer(process.env) !== undefined) {
    say('TorchServe is already running, please use torchserve --stop to stop TorchServe.');
    return 1;
  }
  const refusal = check(wish);
  if (refusal !== undefined) {
    say(refusal);
    return 1;
  }
  const entry = fileURLToPath(new URL(`./${SERVER_ENTRY}`, import.meta.url));
  const child = spawn(process.execPath, [entry, ...serverArguments(wish)], { stdio: 'inherit', detached: !wish.foreground });
  if (child.pid === undefined) {
    say('The server could not be started.');
    return 1;
  }
  writePidFile(process.env, child.pid);
  if (!wish.foreground) {
    child.unref();
    return 0;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  await new Promise((resolve) => child.once('exit', resolve));
  return 0;
}

/** The launcher's own checks, in TorchServe's order; the line to print for the first that fails. */
function check(wish: TorchServeArguments): string | undefined {
  if (wish.logConfig !== undefined) {
    if (!isFile(wish.logConfig)) return `--log-config file not found: ${wish.logConfig}`;
    say(`--log-config is not used: log files are fixed (${wish.logConfig}).`);
  }
  const temp = process.env.TEMP;
  if (temp !== undefined && !isFolder(temp)) return `Invalid temp directory: ${temp}, please check TEMP environment variable.`;
  const config = process.env.TS_CONFIG_FILE ?? wish.tsConfig;
  if (config !== undefined && !isFile(config)) return `--ts-config file not found: ${config}`;
  const configured =
    config === undefined ? new Map<string, string>() : new Map(parseProperties(readFileSync(config, 'latin1')).map(({ key, value }) => [key, value]));
  const vmargs = configured.get('vmargs');
  if (vmargs !== undefined) say(`Warning: TorchServe is using non-default JVM parameters: ${vmargs} (there is no Java machine here: they are ignored)`);
  if (wish.pluginsPath !== undefined) say('--plugins-path is not used: Java plug-ins cannot be loaded.');
  if (wish.modelStore !== undefined && !isFolder(wish.modelStore)) return `--model-store directory not found: ${wish.modelStore}`;
  if (wish.modelStore === undefined && !configured.has('model_store') && !storeInDefaultConfig(config)) return 'Missing mandatory parameter --model-store';
  if (wish.workflowStore !== undefined && !isFolder(wish.workflowStore)) return `--workflow-store directory not found: ${wish.workflowStore}`;
  if (wish.cppLogConfig !== undefined && !isFile(wish.cppLogConfig)) return `--cpp-log-config file not found: ${wish.cppLogConfig}`;
  return undefined;
}

/** TorchServe doesn't look for the store in ./config.properties here; the server reads that file, so it counts. */
function storeInDefaultConfig(named: string | undefined): boolean {
  if (named !== undefined || !isFile('config.properties')) return false;
  return parseProperties(readFileSync('config.properties', 'latin1')).some(({ key }) => key === 'model_store');
}

function serverArguments(wish: TorchServeArguments): string[] {
  const option = (flag: string, value: string | undefined) => (value === undefined ? [] : [flag, value]);
  return [
    ...option('-f', process.env.TS_CONFIG_FILE ?? wish.tsConfig),
    ...option('-s', wish.modelStore),
    ...option('-w', wish.workflowStore),
    ...option('-clog', wish.cppLogConfig),
    ...(wish.models.length === 0 ? [] : ['-m', ...wish.models]),
    ...(wish.noConfigSnapshots ? ['-ncs'] : []),
    ...(wish.disableTokenAuth ? ['-dt'] : []),
    ...(wish.enableModelApi ? ['-mapi'] : []),
  ];
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

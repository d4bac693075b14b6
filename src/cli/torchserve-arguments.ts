/** What `torchserve` was asked. */
export interface TorchServeArguments {
  readonly version: boolean;
  readonly start: boolean;
  readonly stop: boolean;
  readonly help: boolean;
  readonly foreground: boolean;
  readonly noConfigSnapshots: boolean;
  readonly disableTokenAuth: boolean;
  readonly enableModelApi: boolean;
  readonly tsConfig: string | undefined;
  readonly modelStore: string | undefined;
  readonly workflowStore: string | undefined;
  readonly logConfig: string | undefined;
  readonly cppLogConfig: string | undefined;
  readonly pluginsPath: string | undefined;
  readonly models: readonly string[];
}

/** A wrong command line, told as Python's argparse tells it. */
export class UsageError extends Error {}

interface Flag {
  readonly names: readonly string[];
  readonly to: keyof TorchServeArguments;
  readonly takes: 'nothing' | 'one' | 'several';
  readonly says: string;
}

const FLAGS: readonly Flag[] = [
  { names: ['-h', '--help'], to: 'help', takes: 'nothing', says: 'show this help and exit' },
  { names: ['-v', '--version'], to: 'version', takes: 'nothing', says: 'print the version and exit' },
  { names: ['--start'], to: 'start', takes: 'nothing', says: 'start the server' },
  { names: ['--stop'], to: 'stop', takes: 'nothing', says: 'stop the server' },
  { names: ['--ts-config'], to: 'tsConfig', takes: 'one', says: 'config.properties to read' },
  { names: ['--model-store'], to: 'modelStore', takes: 'one', says: 'folder of the archives' },
  { names: ['--workflow-store'], to: 'workflowStore', takes: 'one', says: 'folder of the workflow archives' },
  { names: ['--models'], to: 'models', takes: 'several', says: 'models to load: name=location, location, or all' },
  { names: ['--log-config'], to: 'logConfig', takes: 'one', says: 'log4j2 configuration: accepted, not used' },
  { names: ['--cpp-log-config'], to: 'cppLogConfig', takes: 'one', says: 'log configuration of the C++ worker: accepted, not used' },
  { names: ['--foreground'], to: 'foreground', takes: 'nothing', says: 'wait for the server to end' },
  { names: ['--no-config-snapshots', '--ncs'], to: 'noConfigSnapshots', takes: 'nothing', says: 'neither read nor write snapshots' },
  { names: ['--plugins-path', '--ppath'], to: 'pluginsPath', takes: 'one', says: 'Java plug-ins: accepted, not used' },
  { names: ['--disable-token-auth', '--dt'], to: 'disableTokenAuth', takes: 'nothing', says: 'serve without tokens' },
  { names: ['--enable-model-api'], to: 'enableModelApi', takes: 'nothing', says: 'let models be registered over the API' },
];
const EXCLUSIVE: readonly (keyof TorchServeArguments)[] = ['version', 'start', 'stop'];

/** Reads the command line as argparse would: `--flag=value`, unambiguous beginnings of long flags, one of --version, --start, --stop. Throws UsageError. */
export function parseTorchServeArguments(args: readonly string[]): TorchServeArguments {
  const given: Record<string, boolean | string | string[]> = {};
  const exclusive: string[] = [];
  const queue = [...args];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const at = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = at < 0 ? word : word.slice(0, at);
    const flag = findFlag(name);
    if (EXCLUSIVE.includes(flag.to)) {
      const [other] = exclusive;
      if (other !== undefined && other !== flag.names.join('/')) throw new UsageError(`argument ${flag.names.join('/')}: not allowed with argument ${other}`);
      exclusive.push(flag.names.join('/'));
    }
    const values = at < 0 ? takeValues(flag, queue) : [word.slice(at + 1)];
    if (flag.takes === 'nothing') {
      if (at >= 0) throw new UsageError(`argument ${flag.names.join('/')}: ignored explicit argument '${values[0] ?? ''}'`);
      given[flag.to] = true;
    } else if (values.length === 0)
      throw new UsageError(`argument ${flag.names.join('/')}: expected ${flag.takes === 'one' ? 'one argument' : 'at least one argument'}`);
    else given[flag.to] = flag.takes === 'one' ? (values[0] ?? '') : values;
  }
  const is = (to: keyof TorchServeArguments) => given[to] === true;
  const text = (to: keyof TorchServeArguments) => {
    const value = given[to];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    version: is('version'),
    start: is('start'),
    stop: is('stop'),
    help: is('help'),
    foreground: is('foreground'),
    noConfigSnapshots: is('noConfigSnapshots'),
    disableTokenAuth: is('disableTokenAuth'),
    enableModelApi: is('enableModelApi'),
    tsConfig: text('tsConfig'),
    modelStore: text('modelStore'),
    workflowStore: text('workflowStore'),
    logConfig: text('logConfig'),
    cppLogConfig: text('cppLogConfig'),
    pluginsPath: text('pluginsPath'),
    models: Array.isArray(given.models) ? given.models : [],
  };
}

function takeValues(flag: Flag, queue: string[]): string[] {
  if (flag.takes === 'nothing') return [];
  const values: string[] = [];
  while (queue[0] !== undefined && !queue[0].startsWith('-') && (flag.takes === 'several' || values.length === 0)) values.push(queue.shift() ?? '');
  return values;
}

function findFlag(name: string): Flag {
  const exact = FLAGS.find((flag) => flag.names.includes(name));
  if (exact !== undefined) return exact;
  const fits = name.startsWith('--') && name.length > 2 ? FLAGS.filter((flag) => flag.names.some((full) => full.startsWith(name))) : [];
  const [only] = fits;
  if (fits.length === 1 && only !== undefined) return only;
  if (fits.length > 1) {
    const names = fits.flatMap((flag) => flag.names.filter((full) => full.startsWith(name)));
    throw new UsageError(`ambiguous option: ${name} could match ${names.join(', ')}`);
  }
  throw new UsageError(`unrecognized arguments: ${name}`);
}

export function usage(): string {
  return `usage: torchserve [-h] [-v | --start | --stop] ${FLAGS.slice(4)
    .map(({ names, takes }) => `[${names[0]}${takes === 'nothing' ? '' : takes === 'one' ? ' VALUE' : ' VALUE [VALUE ...]'}]`)
    .join(' ')}`;
}

export function help(): string {
  const rows = FLAGS.map(({ names, says, takes }) => `  ${`${names.join(', ')}${takes === 'nothing' ? '' : ' VALUE'}`.padEnd(34)} ${says}`);
  return `${usage()}\n\nServes PyTorch and ONNX models over TorchServe's APIs.\n\noptions:\n${rows.join('\n')}\n`;
}

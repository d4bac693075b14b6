import { pythonTokens, type Token } from './tokens.js';

/** What a Python file does that an operator may want to know of. */
interface SourceFinding {
  readonly line: number;
  readonly name: string;
  readonly says: string;
}

/** What of a Python file a scan goes by. */
export interface PythonSource {
  readonly findings: readonly SourceFinding[];
  /** Classes that it defines at its top level. */
  readonly classes: ReadonlySet<string>;
}

const MAX_FINDINGS = 50;
const NETWORK = 'reaches for the network';
const PROCESSES = 'starts processes';
const UNPICKLES = 'unpickles';
/** Modules by what importing them is for. */
const MODULES: ReadonlyMap<string, string> = new Map([
  ...'socket ssl http urllib ftplib telnetlib smtplib poplib imaplib nntplib xmlrpc requests httpx aiohttp urllib3 paramiko websocket websockets boto3 google grpc redis pymongo'
    .split(' ')
    .map((name): [string, string] => [name, NETWORK]),
  ...'subprocess pty multiprocessing pexpect sh'.split(' ').map((name): [string, string] => [name, PROCESSES]),
  ...'ctypes cffi _ctypes mmap'.split(' ').map((name): [string, string] => [name, 'reaches into native memory']),
  ...'pickle cPickle _pickle dill cloudpickle marshal shelve jsonpickle joblib'.split(' ').map((name): [string, string] => [name, UNPICKLES]),
  ...'importlib runpy code codeop imp'.split(' ').map((name): [string, string] => [name, 'imports or runs code by name']),
]);
/** Calls by a name alone. */
const BUILT_IN: Readonly<Record<string, string>> = {
  exec: 'runs code that it is given',
  eval: 'runs code that it is given',
  compile: 'runs code that it is given',
  __import__: 'imports or runs code by name',
};
/** Calls by a name of a module. */
const CALLS: Readonly<Record<string, string>> = {
  'os.system': PROCESSES,
  'os.popen': PROCESSES,
  'os.fork': PROCESSES,
  'os.kill': 'signals processes',
  'os.remove': 'deletes files',
  'shutil.rmtree': 'deletes files',
  'pickle.load': UNPICKLES,
  'pickle.loads': UNPICKLES,
  'joblib.load': UNPICKLES,
  'marshal.loads': UNPICKLES,
  'yaml.load': 'loads YAML that may make objects',
  'yaml.unsafe_load': 'loads YAML that may make objects',
  'torch.hub.load': NETWORK,
};

/** Reads Python source without running it. `maxTokens` bounds the work. */
export function readPythonSource(source: string, maxTokens = 2_000_000): PythonSource {
  const findings = new Map<string, SourceFinding>();
  const classes = new Set<string>();
  const add = (line: number, name: string, says: string | undefined): void => {
    if (says !== undefined && findings.size < MAX_FINDINGS && !findings.has(name)) findings.set(name, { line, name, says });
  };
  let tokens = 0;
  for (const statement of statements(source)) {
    tokens += statement.length;
    if (tokens > maxTokens) break;
    const [first, second] = statement;
    if (first?.text === 'class' && first.isTopLevel && second?.kind === 'name') classes.add(second.text);
    for (const name of importedModules(statement)) add(first?.line ?? 0, name, MODULES.get(name.split('.')[0] ?? ''));
    for (const { line, name, args } of calls(statement)) {
      add(line, name, name.includes('.') ? (CALLS[name] ?? execOf(name)) : BUILT_IN[name]);
      if (name === 'torch.load' && /weights_only=False/.test(args)) add(line, 'torch.load(weights_only=False)', UNPICKLES);
    }
  }
  return { findings: [...findings.values()], classes };
}

function* statements(source: string): Generator<readonly Token[]> {
  let statement: Token[] = [];
  let depth = 0;
  for (const token of pythonTokens(source)) {
    if (token.kind === 'sign' && '([{'.includes(token.text)) depth += 1;
    if (token.kind === 'sign' && ')]}'.includes(token.text)) depth = Math.max(0, depth - 1);
    const ends = (token.kind === 'line-end' && depth === 0) || (token.kind === 'sign' && token.text === ';');
    if (!ends) {
      if (token.kind !== 'line-end') statement.push(token);
      continue;
    }
    if (statement.length > 0) yield statement;
    statement = [];
  }
  if (statement.length > 0) yield statement;
}

/** `import a.b, c` and `from a.b import c`: the modules. */
function importedModules(statement: readonly Token[]): readonly string[] {
  const from = statement.findIndex(({ text }) => text === 'from' || text === 'import');
  const word = statement[from];
  // `yield from` and `raise … from` import nothing.
  if (word === undefined || (from > 0 && statement[from - 1]?.text !== ':')) return [];
  const names = statement.slice(from + 1);
  const end = names.findIndex(({ text }) => text === 'import');
  const listed = word.text === 'from' ? names.slice(0, end < 0 ? undefined : end) : names;
  return listed
    .map(({ text }) => text)
    .join(' ')
    .replaceAll(' . ', '.')
    .split(',')
    .map((name) => name.trim().split(' ')[0] ?? '')
    .filter((name) => name !== '');
}

/** Calls by a dotted name, with the text of what follows. */
function* calls(statement: readonly Token[]): Generator<{ readonly line: number; readonly name: string; readonly args: string }> {
  for (const [at, token] of statement.entries()) {
    if (token.text !== '(' || statement[at - 1]?.kind !== 'name') continue;
    let start = at - 1;
    while (statement[start - 1]?.text === '.' && statement[start - 2]?.kind === 'name') start -= 2;
    // A method of something that has no name, or what is being defined.
    const before = statement[start - 1]?.text;
    if (before === '.' || before === 'def' || before === 'class') continue;
    const text = (tokens: readonly Token[]) => tokens.map((one) => one.text).join('');
    yield { line: token.line, name: text(statement.slice(start, at)), args: text(statement.slice(at, at + 200)) };
  }
}

function execOf(name: string): string | undefined {
  return /^os\.(exec|spawn|posix_spawn)\w*$/.test(name) || /^subprocess\.\w+$/.test(name) ? PROCESSES : undefined;
}

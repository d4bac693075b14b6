import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, type HttpResult, RunningServer } from '../e2e/running-server.js';
import { type ArchiveWish, archive } from '../fixtures/archives.js';
import { processesCalled, processTree, residentMib } from '../fixtures/process-tree.js';
import { alive } from '../fixtures/python-workers.js';

const LIMITS = 'limits: { memoryMb: 300, processes: 64, fileMb: 8, openFiles: 256, logKbPerS: 64 }';
const CONFIG = `responseTimeout: 2\nstartupTimeout: 3\nsconce:\n  retryOnWorkerDeath: false\n  ${LIMITS}\n`;
const PATIENT = CONFIG.replace('responseTimeout: 2', 'responseTimeout: 60');
const DIED = 'Worker died.';
/** A frame that the protocol doesn't have, one longer than any may be, one that says nothing after its beginning. */
const [NONSENSE, TOO_LONG, CUT_OFF] = ['05000000ff00000000', 'ffffffff83', '00100000'] as const;

interface Answer {
  readonly status: number;
  readonly reason?: string;
  readonly message?: string;
}

interface Deed {
  readonly wish: Readonly<Record<string, unknown>>;
  readonly answer: Answer;
  /** In the crash dossier; undefined: there is none. */
  readonly cause?: string;
  /** In the model log. */
  readonly log?: string;
}

const fault = (message: string): Answer => ({ status: 503, reason: 'handler_fault', message });
const lost: Answer = { status: 500, reason: 'worker_lost', message: DIED };
const late: Answer = { status: 500, reason: 'handler_timeout', message: DIED };
const tooLong: Answer = { status: 500, reason: 'handler_fault', message: DIED };
const full: Answer = { status: 507, reason: 'out_of_memory', message: DIED };
const done: Answer = { status: 200 };
const TOO_SLOW = 'no answer within the response time-out of 2 s';
const TOO_MANY = 'killed: it reached its limit of 64 processes and threads';
const TOO_MUCH = 'killed: it reached its memory limit of 300 MiB';
const OVERLONG = 'longer than max_response_size';
const BROKE = 'broke the protocol between worker and server';

/** `seen` stands for the deed where no control group holds the worker and its parent has to look. */
const DEEDS: readonly (readonly [what: string, deed: Deed, seen?: Deed])[] = [
  ['gives a text for a list', { wish: { do: 'give_text' }, answer: fault('Invalid model predict output'), log: "Invalid return type: <class 'str'>" }],
  ['gives too many predictions', { wish: { do: 'give_too_many' }, answer: fault('number of batch response mismatched'), log: 'number of batch response' }],
  ['gives what has no form on the wire', { wish: { do: 'give_a_set' }, answer: fault('Unsupported model output data type.') }],
  ['gives a gibibyte', { wish: { do: 'give', mib: 1024 }, answer: full, cause: TOO_MUCH }],
  ['gives more than may be sent', { wish: { do: 'give', mib: 16 }, answer: tooLong, cause: OVERLONG }],
  ['raises', { wish: { do: 'raise_value_error' }, answer: fault('Prediction failed'), log: 'ValueError: asked to' }],
  ['raises with a text of 20 MiB', { wish: { do: 'raise_value_error', mib: 20 }, answer: fault('Prediction failed'), log: 'ValueError: asked toxxx' }],
  ['answers an error with a text of 20 MiB', { wish: { do: 'raise_prediction_error', mib: 20 }, answer: lost, cause: BROKE }],
  ['raises what is no Exception', { wish: { do: 'raise_unforeseen' }, answer: lost, cause: 'exit code 1', log: 'Unforeseen: neither caught' }],
  ['HH22 calls sys.exit', { wish: { do: 'sys_exit' }, answer: lost, cause: 'the handler ended its own process (exit code 0)' }],
  ['calls os._exit', { wish: { do: 'exit_at_once', code: 3 }, answer: lost, cause: 'exit code 3' }],
  ['calls os._exit with the code of a memory kill', { wish: { do: 'exit_at_once', code: 137 }, answer: full, cause: 'exit code 137' }],
  ['HH22 reads where nothing is', { wish: { do: 'segfault' }, answer: lost, cause: 'segmentation fault in native code', log: 'misbehaves.py' }],
  ['HH22 aborts', { wish: { do: 'abort' }, answer: lost, cause: 'aborted by native code', log: 'Fatal Python error: Aborted' }],
  ['HH21 never returns', { wish: { do: 'spin' }, answer: late, cause: TOO_SLOW }],
  ['HH21 never lets go of the interpreter', { wish: { do: 'hold_the_interpreter' }, answer: late, cause: TOO_SLOW }],
  ['HH21 never returns and blocks all signals', { wish: { do: 'spin_deaf' }, answer: late, cause: TOO_SLOW }],
  ['HH21 stops its own process', { wish: { do: 'stop_itself' }, answer: late, cause: TOO_SLOW }],
  ['prints 16 MiB', { wish: { do: 'flood', mib: 16 }, answer: done, log: 'were dropped: the worker printed more than the 64 KiB a second' }],
  ['HH16 prints for ever', { wish: { do: 'flood_forever' }, answer: late, cause: TOO_SLOW, log: 'were dropped' }],
  ['prints 16 MiB and crashes', { wish: { do: 'flood_and_die', mib: 16 }, answer: lost, cause: 'segmentation fault', log: 'Fatal Python error: Segmentation' }],
  ['prints 16 MiB without a line end', { wish: { do: 'one_long_line', mib: 16 }, answer: done, log: 'were dropped' }],
  ['prints 4 MiB of line ends', { wish: { do: 'newlines', mib: 4 }, answer: done, log: 'were dropped' }],
  ['replaces its streams by None', { wish: { do: 'replace_streams' }, answer: done }],
  ['closes its streams', { wish: { do: 'close_streams' }, answer: done }],
  ['closes its sockets', { wish: { do: 'close_sockets' }, answer: lost, cause: 'exit code 1', log: 'Bad file descriptor' }],
  ['writes an unknown frame', { wish: { do: 'write_to_the_server', hex: NONSENSE }, answer: lost, cause: BROKE }],
  ['HH17 writes a frame of 4 GiB', { wish: { do: 'write_to_the_server', hex: TOO_LONG }, answer: tooLong, cause: OVERLONG }],
  ['HH17 writes the beginning of a frame', { wish: { do: 'write_to_the_server', hex: CUT_OFF }, answer: late, cause: TOO_SLOW }],
  ['HH17 writes 100,000 frames', { wish: { do: 'write_to_the_server', hex: NONSENSE, times: 100_000 }, answer: lost, cause: BROKE }],
  ['HH7 takes all memory', { wish: { do: 'hog' }, answer: full, cause: TOO_MUCH }],
  ['lets a child take all memory', { wish: { do: 'hog_in_a_child' }, answer: done }, { wish: { do: 'hog_in_a_child' }, answer: full, cause: TOO_MUCH }],
  ['maps a tebibyte', { wish: { do: 'map_a_tebibyte' }, answer: { status: 507, reason: 'out_of_memory', message: 'Out of resources' } }],
  ['writes a file of 64 MiB', { wish: { do: 'fill_a_file', mib: 64 }, answer: fault('Prediction failed'), log: 'File too large' }],
  ['HH8 opens 1,000 files', { wish: { do: 'open_many', count: 1000 }, answer: fault('Prediction failed'), log: 'Too many open files' }],
  [
    'starts threads without end',
    { wish: { do: 'thread_bomb' }, answer: fault('Prediction failed'), log: "can't start new thread" },
    { wish: { do: 'thread_bomb' }, answer: lost, cause: TOO_MANY },
  ],
  ['HH6 forks without end', { wish: { do: 'fork_bomb' }, answer: late, cause: TOO_SLOW }, { wish: { do: 'fork_bomb' }, answer: lost, cause: TOO_MANY }],
  [
    'lets programs in sessions of their own fork without end',
    { wish: { do: 'fork_bomb_of_orphans' }, answer: late, cause: TOO_SLOW },
    { wish: { do: 'fork_bomb_of_orphans' }, answer: lost, cause: TOO_MANY },
  ],
  ['leaves a daemon behind', { wish: { do: 'leave_daemon' }, answer: done }],
];

describe.each([
  ['control groups', {}],
  ['looks alone', { sconce_control_groups: 'false' }],
])('beside a good model, with workers held by %s, a handler that', (_, config) => {
  const server = new RunningServer();
  let holder: 'v1' | 'v2' | undefined;
  let count = 0;

  beforeAll(async () => {
    // What some of them do, they do in programs of their own.
    await server.start({ config: { ...config, sconce_grants: '{"*": {"exec": true}}' } });
    await register({ name: 'good', handler: 'bad/misbehaves.py' });
    await server.logHas('ts_log.log', /sandbox: workers are held in: |sandbox: not held here: /);
    const [, version] = /held by control groups (v1|v2)/.exec(server.log('ts_log.log')) ?? [];
    holder = version === 'v1' || version === 'v2' ? version : undefined;
  });

  afterAll(() => server.dispose());

  async function register(wish: ArchiveWish): Promise<HttpResult> {
    const file = await archive(server.store, wish);
    return server.manage('POST', `/models?url=${file}&initial_workers=1`);
  }

  /** A name that no other process on the machine has in its command line. */
  function freshName(): string {
    count += 1;
    return `bad-${server.pid}-${count}-x`;
  }

  function ask(model: string, wish: Readonly<Record<string, unknown>>): Promise<HttpResult> {
    return server.predict(model, { body: JSON.stringify(wish), headers: { 'content-type': 'application/json' } });
  }

  /** What must hold after every deed: the good model answers, and nothing of the bad one is left. */
  async function goesOnWithout(name: string): Promise<void> {
    expect((await ask('good', { do: 'nothing' })).text).toBe('done');
    await server.manage('DELETE', `/models/${name}`);
    await server.eventually(async () => processesCalled(name).length === 0, `no process of ${name} is left`);
    expect((await ask('good', { do: 'nothing' })).text).toBe('done');
  }

  it.each(DEEDS.map(([what, deed, seen]) => ({ what, deed, seen })))('$what', async ({ deed, seen }) => {
    // Under v2 the kernel kills the whole group for its memory, under v1 the one process that has most.
    const isOtherwise = holder === undefined || (holder === 'v2' && deed.wish.do === 'hog_in_a_child');
    const { wish, answer, cause, log } = isOtherwise ? (seen ?? deed) : deed;
    const name = freshName();
    // Whatever ends otherwise must not lose against the time-out on a busy machine.
    const config = answer === late ? CONFIG : PATIENT;
    expect((await register({ name, handler: 'bad/misbehaves.py', config })).status).toBe(200);
    expect(processesCalled(name)).toHaveLength(1);

    const { status, headers, body } = await ask(name, wish);

    expect([status, headers['x-sconce-reason']]).toEqual([answer.status, answer.reason]);
    if (answer.message !== undefined) {
      expect(JSON.parse(body.toString())).toEqual({ code: answer.status, type: 'InternalServerException', message: answer.message });
    }
    const causes = async () => ((await server.manage('GET', `/sconce/crashes?model=${name}`)).json() as { cause: string }[]).map((dossier) => dossier.cause);
    if (cause === undefined) expect(await causes()).toEqual([]);
    else await server.eventually(async () => (await causes()).at(-1)?.includes(cause) === true, `the dossier of ${name} says "${cause}"`);
    if (log !== undefined) await server.eventually(async () => logOf(server, name).includes(log), `the log of ${name} says "${log}"`);
    await goesOnWithout(name);
  });

  it.each([
    ['imports what is not there', { handler: 'bad/import_error.py' }, "No module named 'surely_not_there'"],
    ['is no Python', { handler: 'bad/syntax_error.py' }, 'SyntaxError'],
    ['is not in its archive', { handler: 'bad/misbehaves.py', model: { handler: 'absent.py' } }, 'absent'],
    ['HH21 hangs in initialize', { how: 'hang' }, 'initialize: hang'],
    ['exits in initialize', { how: 'exit' }, 'initialize: exit'],
    ['HH22 crashes in initialize', { how: 'segfault' }, 'Segmentation fault'],
    ['takes all memory in initialize', { how: 'hog' }, 'initialize: hog'],
  ])('%s is not registered', async (__, { how, ...wish }: { how?: string; handler?: string; model?: Record<string, string> }, log) => {
    const name = freshName();
    const config = `${CONFIG}handler: { how: ${how} }\n`;

    const { status, json } = await register({ name, handler: 'bad/loads_badly.py', config, ...wish });

    expect([status, json()]).toMatchObject([
      how === 'hog' ? 507 : 500,
      { message: expect.stringContaining(`Failed to start workers for model ${name} version: 1.0`) },
    ]);
    expect((await server.manage('GET', `/models/${name}`)).status).toBe(404);
    await server.eventually(async () => logOf(server, name).includes(log), `the log of ${name} says "${log}"`);
    await goesOnWithout(name);
  });

  it('deletes its own folder serves on, and a new registration brings the folder back', async () => {
    const name = freshName();
    await register({ name, handler: 'bad/misbehaves.py', config: CONFIG });

    expect((await ask(name, { do: 'delete_its_folder' })).text).toBe('done');
    expect((await ask(name, { do: 'nothing' })).text).toBe('done');
    await goesOnWithout(name);

    expect((await register({ name, handler: 'bad/misbehaves.py', config: CONFIG })).status).toBe(200);
    expect((await ask(name, { do: 'nothing' })).text).toBe('done');
    await goesOnWithout(name);
  });

  it('did all this has eaten neither memory nor disk', async () => {
    const family = processTree(server.pid);

    expect(residentMib(server.pid)).toBeLessThan(500);
    // The gateway, the parent and the good worker; the last two share most of theirs.
    expect(residentOf(family)).toBeLessThan(1500);
    expect(folderMib(server.folder)).toBeLessThan(100);
    expect((await call(`${server.inference}/ping`)).status).toBe(200);
  });

  it('forks without end when the server is killed goes with it', async () => {
    const victim = new RunningServer();
    try {
      const name = `bomb-${victim.folder.split('-').at(-1)}-x`;
      const file = await archive(victim.store, { name, handler: 'bad/misbehaves.py', config: PATIENT });
      await victim.start({ config: { ...config, load_models: file }, env: { TEMP: victim.folder } });
      const wish = { body: '{"do": "fork_bomb"}', headers: { 'content-type': 'application/json' } };
      const answer = victim.predict(name, wish).catch(() => undefined);
      await victim.eventually(async () => processTree(victim.pid).length > 20, 'the bomb has gone off');
      const family = processTree(victim.pid);
      expect(groupsOf(victim.pid).length > 0).toBe(holder !== undefined);

      victim.signal('SIGKILL');

      await answer;
      await victim.exited;
      await victim.eventually(async () => !family.some(alive), 'the family is gone');
      expect(processesCalled(name)).toEqual([]);
      expect(groupsOf(victim.pid)).toEqual([]);
    } finally {
      await victim.dispose();
    }
  });
});

/** The lines of the model's workers. */
function logOf(server: RunningServer, name: string): string {
  const lines = server.log('model_log.log').split('\n');
  return lines.filter((line) => line.includes(`-${name}_1.0-`)).join('\n');
}

/** Resident memory of all of them, MiB. */
function residentOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + residentMib(pid), 0);
}

function folderMib(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0) / 2 ** 20;
}

/** Control groups of a server, wherever below `folder` they are. */
function groupsOf(pid: number, folder = '/sys/fs/cgroup'): readonly string[] {
  return foldersIn(folder).flatMap((name) => (name.startsWith(`sconce-${pid}-`) ? [name] : groupsOf(pid, join(folder, name))));
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    // There are no groups here, or this one has gone meanwhile.
    return [];
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aBatch, alive, HANDLER, LOADS_BADLY, PYTHON, run, Story, until, Workshop } from '../../../test/fixtures/python-workers.js';

/** Ends once a process that isn't its own has its standard output. */
const LENDS_ITS_OUTPUT = `
import array, os, socket, sys
def handle(data, context):
    if data is None:
        return None
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(data[0]["body"]["path"])
        line.sendmsg([b"1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1]))])
        line.recv(1)
    os.write(1, b"no line end")
    os._exit(7)
`;

/** Keeps what it is lent until its standard input ends. */
const BORROWS = `
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("listening", flush=True)
line, _ = server.accept()
line.recvmsg(1, 1024)
line.sendall(b"1")
sys.stdin.read()
`;

let shop: Workshop;

beforeAll(async () => {
  shop = await Workshop.open();
});

afterAll(() => shop.close());

describe('a worker', () => {
  it('killed in the middle of a batch is reported once, and nothing more is said of the batch', async () => {
    const { runner, exited, exits } = await shop.loaded(shop.aModel(HANDLER));
    const story = new Story();

    runner.run(aBatch({ do: 'wait', file: '/nowhere' }), story);
    process.kill(runner.pid ?? 0, 'SIGKILL');
    const exit = await exited;

    expect(exit).toMatchObject({ expected: false, code: undefined, signal: 'SIGKILL' });
    expect(exit.memoryPeakBytes).toBeGreaterThan(1_000_000);
    expect([story.parts, story.failures, story.ended, exits()]).toEqual([[], [], false, 1]);
  });

  it.each([
    ['os._exit', { do: 'exit', code: 7 }, { code: 7, signal: undefined }],
    ['sys.exit', { do: 'sys-exit' }, { code: 0, signal: undefined }],
    ['SIGTERM', { do: 'kill', signal: 'SIGTERM' }, { code: undefined, signal: 'SIGTERM' }],
    ['a segmentation fault', { do: 'kill', signal: 'SIGSEGV' }, { code: undefined, signal: 'SIGSEGV' }],
  ])('ended by %s is reported as such, with its last words', async (_, wish, end) => {
    const { runner, exited } = await shop.loaded(shop.aModel(HANDLER));

    runner.run(aBatch(wish), new Story());
    const exit = await exited;

    expect(exit).toMatchObject({ expected: false, ...end });
    if (wish.do === 'exit') expect(exit.lastLines.at(-1)).toBe('going');
    if (end.signal === 'SIGSEGV') expect(exit.lastLines.join('\n')).toContain('my_handler.py');
  });

  it('that is stopped finishes the batches it holds, runs its clean-up and leaves with 0', async () => {
    const { runner, exited, lines } = await shop.loaded(shop.aModel(`import atexit\natexit.register(print, "cleaned up")\n${HANDLER}`));
    const file = shop.signalFile();
    const [first, second] = [new Story(), new Story()];
    runner.run(aBatch({ do: 'wait', file }), first);
    runner.run(aBatch({ do: 'nothing' }), second);

    const stopped = runner.stop(8_000);
    writeFileSync(file, '');
    await stopped;

    expect([first.parts[0]?.text, second.parts[0]?.text]).toEqual(['done', 'done']);
    expect(await exited).toMatchObject({ expected: true, code: 0 });
    expect(lines.at(-1)?.line).toBe('cleaned up');
  });

  it('that is stopped but never finishes is killed after the grace', async () => {
    const { runner, exited } = await shop.loaded(shop.aModel(HANDLER));
    runner.run(aBatch({ do: 'wait', file: '/nowhere' }), new Story());

    await runner.stop(50);

    expect(await exited).toMatchObject({ expected: true, signal: 'SIGKILL' });
  });

  it('takes the processes that it started along, those in sessions of their own too', async () => {
    const { runner, exited } = await shop.loaded(shop.aModel(HANDLER));
    const { parts } = await run(runner, { do: 'children' });
    const [child = 0, escaped = 0] = (parts[0]?.text ?? '').split(' ').map(Number);
    expect([alive(child), alive(escaped)]).toEqual([true, true]);

    runner.kill();
    await exited;

    await until(() => !alive(child) && !alive(escaped));
  });

  it('that prints megabytes answers, and every line comes', async () => {
    const { runner, lines } = await shop.loaded(shop.aModel(HANDLER));

    const story = await run(runner, { do: 'shout', lines: 5_000 });
    await runner.stop(8_000);

    expect(story.parts.map(({ text }) => text)).toEqual(['done']);
    expect(lines.filter(({ line }) => line === 'x'.repeat(999))).toHaveLength(5_000);
    expect(lines.some(({ line }) => line.startsWith('no newline'))).toBe(true);
  });

  it('whose output somebody holds open is reported with its last words all the same', async () => {
    const { runner, exited, exits, lines } = await shop.loaded(shop.aModel(LENDS_ITS_OUTPUT));
    const path = shop.signalFile();
    const borrower = spawn(PYTHON, ['-c', BORROWS, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(borrower.stdout, 'data');

    runner.run(aBatch({ path }), new Story());
    const exit = await exited;
    const heard = lines.length;
    borrower.stdin.end();
    await once(borrower, 'exit');

    expect([exit.code, exit.lastLines.at(-1), exits()]).toEqual([7, 'no line end', 1]);
    expect(lines).toHaveLength(heard);
  });

  it.each([
    ['bytes that are no frame', '00000000ff'],
    ['an unknown frame', '0100000099'],
    ['a greeting out of turn', `1700000081${Buffer.from('{"pid":1,"python":"3"}').toString('hex')}`],
    ['parts of a batch that it was not given', '0c00000083ffffffff01000000000000'],
    ['a frame longer than any may be', 'ffffffff84'],
  ])('that sends %s is ended', async (_, hex) => {
    const { runner, exited } = await shop.loaded(shop.aModel(HANDLER));
    const story = new Story();

    runner.run(aBatch({ do: 'nonsense', hex }), story);
    const exit = await exited;

    expect(exit).toMatchObject({ expected: false, signal: undefined });
    expect(exit.lastLines.at(-1)).toContain('broke the protocol');
    expect([story.parts, story.failures]).toEqual([[], []]);
  });

  it('tells its resident memory while it lives', async () => {
    const { runner } = await shop.loaded(shop.aModel(HANDLER));

    expect(await runner.memoryBytes()).toBeGreaterThan(1_000_000);
    await runner.stop(0);
    expect(await runner.memoryBytes()).toBeUndefined();
  });
});

describe('where the client is the author', () => {
  it('an exception is answered with its traceback, and nowhere else', async () => {
    const author = await shop.anotherBackend({ devTracebacks: true });
    const [told, plain] = [await shop.loaded(shop.aModel(HANDLER), { from: author }), await shop.loaded(shop.aModel(HANDLER))];

    const [failure] = (await run(told.runner, { do: 'raise' })).failures;
    const [usual] = (await run(plain.runner, { do: 'raise' })).failures;

    expect(failure?.error.message).toMatch(/^Prediction failed\nTraceback .*\n {2}File ".*my_handler\.py", line \d+, in handle\n.*ValueError: asked to$/s);
    expect(failure?.error.rendering.http).toBe(503);
    expect(usual?.error.message).toBe('Prediction failed');
  });

  it.each([
    ['import', 'ModuleNotFoundError: No module named', 'my_handler.py'],
    ['runtime', 'RuntimeError: no weights here', 'in initialize'],
    ['exit', 'The worker ended while it was loading (exit code 3).', 'model_name: '],
  ])('what keeps a model from loading (%s) is told with all that is known of it', async (how, first, behind) => {
    const author = await shop.anotherBackend({ devTracebacks: true });

    const failures = await Promise.all(
      [author, shop.backend].map((from) =>
        shop
          .aRunner(shop.aModel(LOADS_BADLY, { how }), { from })
          .runner.load()
          .then(
            () => 'loaded',
            (error: unknown) => (error instanceof Error ? error.message : ''),
          ),
      ),
    );

    expect(failures[0]?.split('\n')[0]).toContain(first);
    expect(failures[0]).toContain(behind);
    expect(failures[1]).toContain(first);
    expect(failures[1]).not.toContain('\n');
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { endedChildOf, killWithGroup, residentBytes, residentBytesWithChildren } from './processes.js';

let started: number | undefined;

afterEach(() => {
  if (started !== undefined) killWithGroup(started);
});

/** A shell that has started `command` and reaps nothing, because it has become `sleep`. */
async function parentOf(command: string): Promise<number> {
  const shell = spawn('sh', ['-c', `${command} & echo; exec sleep 600`], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  await once(shell.stdout, 'data');
  started = shell.pid ?? -1;
  return started;
}

async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.runIf(process.platform === 'linux')('of a process is told', () => {
  it('its memory while it is there', async () => {
    expect(await residentBytes(process.pid)).toBeGreaterThan(1_000_000);
    expect(await residentBytes(2 ** 22 + 1)).toBeUndefined();
  });

  it('its memory together with that of its children', async () => {
    const pid = await parentOf('sleep 600');

    const [own, all] = [await residentBytes(pid), await residentBytesWithChildren(pid)];

    expect(all).toBeGreaterThan(own ?? Number.POSITIVE_INFINITY);
    expect(await residentBytesWithChildren(2 ** 22 + 1)).toBeUndefined();
  });

  it.each([
    ['exit 3', { code: 3, signal: undefined }],
    ['exit 0', { code: 0, signal: undefined }],
    ['kill -9 $$', { code: undefined, signal: 'SIGKILL' }],
    ['kill -11 $$', { code: undefined, signal: 'SIGSEGV' }],
  ])('how a child of it ended by %s', async (how, end) => {
    // Not before there is nobody who reaps: a shell looks after its children until it has become another program.
    const pid = await parentOf(`sh -c 'until grep -q sleep /proc/$PPID/comm; do :; done; ${how}'`);

    expect(await eventually(() => endedChildOf(pid))).toEqual(end);
  });

  it('nothing of a child that lives', async () => {
    expect(await endedChildOf(await parentOf('sleep 600'))).toBeUndefined();
  });
});

it.each([undefined, 1, 0, -1])('%s is no process that could be ended: nothing is sent to all others instead', (pid) => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);

  killWithGroup(pid);

  expect(kill).not.toHaveBeenCalled();
  kill.mockRestore();
});

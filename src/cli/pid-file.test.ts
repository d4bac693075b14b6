import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isServer, recordedAtMs, recordedPid, removePidFile, runningServer, writePidFile } from './pid-file.js';

let folder: string;
let env: { TMPDIR: string };
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-pid-'));
  env = { TMPDIR: folder };
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A process that waits, called by the name of the server or not. */
async function waits(...args: readonly string[]): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, ['-e', "process.stdin.resume(); console.log('up')", ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  children.push(child);
  await once(child.stdout, 'data');
  return Object.assign(child, { pid: child.pid ?? -1 });
}

describe('the PID file', () => {
  it('holds the number and nothing else', () => {
    writePidFile(env, 4711);

    expect(readFileSync(join(folder, '.model_server.pid'), 'utf8')).toBe('4711');
    expect(recordedPid(env)).toBe(4711);
    expect(recordedAtMs(env)).toBeGreaterThan(0);
    removePidFile(env);
    expect([recordedPid(env), recordedAtMs(env)]).toEqual([undefined, undefined]);
  });

  it("lies in the first of TMPDIR, TEMP and TMP that is a folder, as with Python's tempfile", () => {
    const [temp, tmp] = [join(folder, 'temp'), join(folder, 'tmp')];
    for (const path of [temp, tmp]) mkdirSync(path);
    writeFileSync(join(folder, 'file'), '');

    writePidFile({ TMPDIR: join(folder, 'none'), TEMP: temp, TMP: tmp }, 1);
    writePidFile({ TMPDIR: '', TEMP: join(folder, 'file'), TMP: tmp }, 2);

    expect([temp, tmp].map((path) => recordedPid({ TMPDIR: path }))).toEqual([1, 2]);
  });

  it('CF7 replaces a link that was laid for it, leaves alone what the link leads to, and is not read through one', () => {
    const [victim, path] = [join(folder, 'victim'), join(folder, '.model_server.pid')];
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, path);

    writePidFile(env, 4711);

    expect([readFileSync(victim, 'utf8'), recordedPid(env)]).toEqual(['untouched', 4711]);
    rmSync(path);
    writeFileSync(victim, '1');
    symlinkSync(victim, path);
    expect(recordedPid(env)).toBeUndefined();
  });

  it('with something else than a number in it names no server', () => {
    writeFileSync(join(folder, '.model_server.pid'), 'twelve');

    expect(recordedPid(env)).toBeUndefined();
  });

  it('CF7 names a running server only while that process is a server', async () => {
    const other = await waits();
    const server = await waits('server-process.js');

    writePidFile(env, other.pid);
    expect(runningServer(env)).toBeUndefined();
    writePidFile(env, server.pid);
    expect(runningServer(env)).toBe(server.pid);

    const ended = once(server, 'exit');
    server.kill();
    await ended;
    expect(isServer(server.pid)).toBe(false);
    expect(runningServer(env)).toBeUndefined();
  });
});

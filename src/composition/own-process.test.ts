import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildThreads } from '../../test/fixtures/driven-runner.js';

const ENTRY = new URL('../../dist/composition/own-process.js', import.meta.url).href;
const PYTHON_HOME = fileURLToPath(new URL('../../python', import.meta.url));
const FACTS = { interpreter: 'python3', environment: { PATH: process.env.PATH }, pythonHome: PYTHON_HOME };

beforeAll(() => buildThreads());

/** What a process prints that does `script` with the module as `own`. It may leave core dumps. */
function printed(script: string, args: readonly string[] = []): string {
  const words = [process.execPath, ...args, '--input-type=module', '-e', `const own = await import(${JSON.stringify(ENTRY)});\n${script}`];
  return execFileSync('sh', ['-c', 'ulimit -c "$(ulimit -H -c)"; exec "$@"', 'sh', ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

describe('a server’s own process, once closed', () => {
  it('takes __proto__ for a name like any other', () => {
    const script = `own.closeOwnProcess();
const target = {};
for (const [key, value] of Object.entries(JSON.parse('{"__proto__": {"isAdmin": true}}'))) target[key] = value;
console.log(JSON.stringify([target.isAdmin, Object.keys(target), {}.isAdmin, Object.getPrototypeOf(target) === Object.prototype]));`;

    expect(JSON.parse(printed(script))).toEqual([null, ['__proto__'], null, true]);
  });

  it('opens no debugger for SIGUSR1', () => {
    const script = `own.closeOwnProcess();
const { url } = await import('node:inspector');
process.once('SIGUSR1', () => setImmediate(() => { console.log(String(url())); process.exit(); }));
process.kill(process.pid, 'SIGUSR1');
setTimeout(() => undefined, 30_000);`;

    expect(printed(script)).toBe('undefined');
  });

  it.runIf(process.getuid?.() === 0)('shows its memory to no other process, as what the kernel calls undumpable, where it is root', async () => {
    // Of a process that may be looked into, /proc shows the group; of another one root’s.
    const script = `const own = await import(${JSON.stringify(ENTRY)});
process.stdout.write('before');
process.stdin.once('data', () => { own.closeOwnProcess(); process.stdout.write('after ' + process.getegid() + ' ' + process.getgid()); });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { gid: 54_321, stdio: ['pipe', 'pipe', 'inherit'] });
    const groupOf = () => statSync(`/proc/${child.pid}/environ`).gid;
    await once(child.stdout, 'data');
    expect(groupOf()).toBe(54_321);

    child.stdin.write('go');
    const [told] = await once(child.stdout, 'data');

    expect(String(told)).toBe('after 54321 54321');
    expect(groupOf()).toBe(0);
    child.kill('SIGKILL');
  });
});

describe.runIf(process.platform === 'linux')('what holds of it', () => {
  const told = (facts: object, args: readonly string[] = []) =>
    JSON.parse(
      printed(
        `const { readFileSync } = await import('node:fs');
const told = await own.ownProcessProtection(${JSON.stringify(facts)});
console.log(JSON.stringify([told.holds, told.says, /^Max core file size.*$/m.exec(readFileSync('/proc/self/limits', 'utf8'))[0].split(/\\s+/).slice(4, 6)]));`,
        args,
      ),
    );

  it('is that it leaves no core dump, which it can’t raise again', () => {
    expect(told(FACTS)).toEqual([true, 'it leaves no core dump and opens no debugger', ['0', '0']]);
  });

  it('is told to be missing where there is no Python to see to it, and where a debugger is open', () => {
    expect(told({ ...FACTS, interpreter: 'no-such-python' }).slice(0, 2)).toEqual([
      false,
      'a crash may leave keys and requests in a core dump; start it under `ulimit -c 0`',
    ]);
    expect(told(FACTS, ['--inspect=127.0.0.1:0']).slice(0, 2)).toEqual([
      false,
      'a debugger is open, and whoever reaches it is the server; start it without --inspect',
    ]);
  });
});

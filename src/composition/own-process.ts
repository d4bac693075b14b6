import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { url as debuggerUrl } from 'node:inspector';
import { promisify } from 'node:util';
import type { Protection } from '../observability/protections.js';

const run = promisify(execFile);
const TRY_WITHIN_MS = 30_000;
/** Groups that are not the server's; which one doesn't matter, for it leaves it at once. */
const OTHER_GROUPS = [65_534, 65_533] as const;

/** Shuts what a server's process leaves open by itself and has no use for. Once, before anything of a stranger is read. */
export function closeOwnProcess(): void {
  // A key of that name in somebody's JSON then is a key, whatever copies it where. Those who still write to it have another way: see `Object.setPrototypeOf`.
  Reflect.deleteProperty(Object.prototype, '__proto__');
  // Node would open its debugger, which runs any code, to whoever may send a signal.
  process.on('SIGUSR1', () => undefined);
  hideMemory();
}

/** What holds of the server's own process; takes the right to leave core dumps from it, which Node can't and Python can. undefined: this system doesn't tell. */
export async function ownProcessProtection({
  interpreter,
  environment,
  pythonHome,
}: Readonly<Record<'interpreter' | 'pythonHome', string>> & { readonly environment: Readonly<Record<string, string>> }): Promise<Protection | undefined> {
  if (process.platform !== 'linux') return undefined;
  const name = 'own process';
  if (debuggerUrl() !== undefined) return { name, holds: false, says: 'a debugger is open, and whoever reaches it is the server; start it without --inspect' };
  if (leavesCoreDumps()) {
    const options = { cwd: pythonHome, env: environment, timeout: TRY_WITHIN_MS, killSignal: 'SIGKILL' } as const;
    // What came of it is looked at.
    await run(interpreter, ['-m', 'sconce_worker.no_core_dumps', String(process.pid)], options).catch(() => undefined);
  }
  if (leavesCoreDumps()) return { name, holds: false, says: 'a crash may leave keys and requests in a core dump; start it under `ulimit -c 0`' };
  return { name, holds: true, says: 'it leaves no core dump and opens no debugger' };
}

/** A process whose group has changed is nobody's to look into or to dump, not even its own user's, until it runs another program. Only root may change it. */
function hideMemory(): void {
  const own = process.getegid?.();
  if (own === undefined || process.geteuid?.() !== 0) return;
  try {
    process.setegid?.(OTHER_GROUPS.find((group) => group !== own) ?? own);
    process.setegid?.(own);
  } catch {
    // A root that may do nothing, as in some containers: its memory is as open as that of any other user.
  }
}

function leavesCoreDumps(): boolean {
  return !/^Max core file size\s+0\s/m.test(readFileSync('/proc/self/limits', 'utf8'));
}

import type { RunnerExit } from './backend.js';
import type { CrashDossier } from './crash-dossier.js';

const KEPT = 200;
/** How TorchServe says that a worker took too long, to load or to answer. */
export const LATE = 'Backend worker did not respond in given time';

/** The dossiers of the last deaths of the whole server, oldest first. Bounded: the oldest go. */
export class CrashLog {
  readonly #dossiers: CrashDossier[] = [];

  add(dossier: CrashDossier): void {
    this.#dossiers.push(dossier);
    if (this.#dossiers.length > KEPT) this.#dossiers.shift();
  }

  all(): readonly CrashDossier[] {
    return [...this.#dossiers];
  }

  of(model: string, version: string): readonly CrashDossier[] {
    return this.#dossiers.filter((dossier) => dossier.model === model && dossier.version === version);
  }
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGKILL: 'killed by SIGKILL: the kernel when memory runs out, or somebody',
  SIGSEGV: 'segmentation fault in native code',
  SIGABRT: 'aborted by native code',
  SIGBUS: 'bus error: often a full /dev/shm or disk',
  SIGFPE: 'arithmetic fault in native code',
  SIGILL: 'illegal instruction: a library built for another processor',
};

/** One line on why a worker probably ended. `timedOut` is the response time-out in ms when that is what ended it. */
export function probableCause(exit: RunnerExit, timedOutMs: number | undefined): string {
  if (timedOutMs !== undefined) return `no answer within the response time-out of ${timedOutMs / 1000} s`;
  if (exit.verdict !== undefined) return exit.verdict;
  if (exit.signal !== undefined) return SIGNALS[exit.signal] ?? `ended by ${exit.signal}`;
  if (exit.code === 137) return 'out of memory (exit code 137)';
  if (exit.code === 0) return 'the handler ended its own process (exit code 0)';
  return exit.code === undefined ? 'the connection to the worker closed' : `exit code ${exit.code}`;
}

/** Where it isn't known: exit code 137 and SIGKILL are how the kernel's memory killer shows. */
export function looksOutOfMemory(exit: Pick<RunnerExit, 'code' | 'signal' | 'outOfMemory'>): boolean {
  return exit.code === 137 || (exit.outOfMemory ?? exit.signal === 'SIGKILL');
}

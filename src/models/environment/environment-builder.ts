import { spawn } from 'node:child_process';
import { OutputLines } from '../../platform/output-lines.js';
import { killWithGroup } from '../../platform/processes.js';
import { InstallerComplaint } from './installer-complaint.js';

/** What python/sconce_worker/build_environment.py is told; see there. */
export interface BuildOrder {
  readonly home: string;
  readonly marker: string;
  readonly about: Readonly<Record<string, string>>;
  readonly steps: readonly (readonly string[])[];
  readonly directory: string;
  readonly packages: string;
  readonly inherit_after: number | null;
}

export interface BuildOptions {
  readonly interpreter: string;
  /** build_environment.py */
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly output: (line: string) => void;
  /** Ends the build; its reason, a text, becomes the outcome's. */
  readonly signal: AbortSignal;
}

/** `found`: another builder was faster. `failed`: nothing of it is left; `step` is the number of the order's step, where one failed. */
export type BuildOutcome = { readonly ended: 'built' | 'found' } | { readonly ended: 'failed'; readonly step: number | undefined; readonly reason: string };

const FOUND = 10;
const FIRST_STEP = 20;
/** How long a builder may take to clear away what it made, once it is told to stop. */
const STOP_WITHIN_MS = 5000;
/** How long the output of a builder that ended is still waited for: what it started may hold the pipes open. */
const OUTPUT_GRACE_MS = 5000;

/**
 * Builds an environment in a process of its own, which ends with this one, whatever ends it. Never rejects. The process works on a folder at a time
 * with all other builders of this machine, waits for its turn, and does nothing when it finds the folder whole.
 */
export function buildEnvironment(order: BuildOrder, { interpreter, script, environment, output, signal }: BuildOptions): Promise<BuildOutcome> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ ended: 'failed', step: undefined, reason: String(signal.reason) });
    const complaint = new InstallerComplaint();
    // Detached: a signal from the terminal reaches the gateway alone, which stops the build in order.
    const child = spawn(interpreter, [script], { cwd: '/', env: environment, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const streams = [child.stdout, child.stderr].map((stream) => {
      const lines = new OutputLines((line) => {
        complaint.add(line);
        output(line);
      });
      stream.on('data', (chunk: Buffer) => lines.push(chunk));
      return { stream, lines };
    });
    // EPIPE of a builder that has ended: `close` tells of that.
    child.stdin.on('error', () => undefined);
    child.stdin.write(`${JSON.stringify(order)}\n`);
    let patience: NodeJS.Timeout | undefined;
    const stop = () => {
      child.stdin.end();
      patience = setTimeout(() => {
        if (child.pid !== undefined) killWithGroup(child.pid);
      }, STOP_WITHIN_MS);
    };
    const ended = () => {
      signal.removeEventListener('abort', stop);
      clearTimeout(patience);
    };
    signal.addEventListener('abort', stop, { once: true });
    child.on('error', (error) => complaint.add(error.message));
    child.on('exit', () => {
      ended();
      const grace = setTimeout(() => streams.map(({ stream }) => stream.destroy()), OUTPUT_GRACE_MS);
      child.once('close', () => clearTimeout(grace));
    });
    child.on('close', (code, killedBy) => {
      // One that could not be started has no exit.
      ended();
      for (const { lines } of streams) lines.end();
      if (code === 0) return resolve({ ended: 'built' });
      if (code === FOUND) return resolve({ ended: 'found' });
      const step = code !== null && code >= FIRST_STEP ? code - FIRST_STEP : undefined;
      const why = signal.aborted ? String(signal.reason) : (complaint.line ?? `ended by ${killedBy ?? `exit code ${code}`}`);
      resolve({ ended: 'failed', step, reason: why });
    });
  });
}

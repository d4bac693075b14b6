import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome, Places, Step } from './archive.js';
import { exchange } from './exchange.js';

/** How long lines may take to reach a log; TorchServe's follow its answers by some milliseconds. */
const LINES_WITHIN_MS = 15_000;

/** A server that serves an archive: TorchServe or Sconce. */
export interface ServerUnderTest {
  readonly inference: string;
  readonly management: string;
  /** Text of one of its log files so far. */
  log(name: string): string;
}

/** Sends a step's requests at once; gives its answers and the lines that it left in a log. Rejects when a request finds no answer. */
export async function runStep(server: ServerUnderTest, step: Step, places: Places): Promise<Outcome> {
  const before = step.lines === undefined ? 0 : server.log(step.lines.file).length;
  const answers = await Promise.all(step.requests.map((request) => exchange(server[request.port ?? 'inference'], request, places)));
  return { answers, lines: await linesOf(server, step, before), expected: expectedOf(places) };
}

async function linesOf(server: ServerUnderTest, { lines: wanted }: Step, before: number): Promise<readonly string[]> {
  if (wanted === undefined) return [];
  for (const endAtMs = Date.now() + LINES_WITHIN_MS; ; ) {
    const lines = server
      .log(wanted.file)
      .slice(before)
      .split('\n')
      .slice(0, -1)
      .filter((line) => wanted.matching.test(line));
    if (lines.length >= wanted.count || Date.now() > endAtMs) return lines;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function expectedOf({ madeFolder }: Places): unknown {
  try {
    return JSON.parse(readFileSync(join(madeFolder, 'expected.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

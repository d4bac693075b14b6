import { basename } from 'node:path';
import type { Places, Step, TestArchive } from '../archives/archive.js';
import type { BuiltArchive } from '../archives/build-archives.js';
import { exchange } from '../archives/exchange.js';
import { runStep, type ServerUnderTest } from '../archives/run-step.js';
import type { Comparison, ComparisonGroup, Observed } from './comparison.js';
import { withoutMoments } from './moments.js';
import { observedAnswer, withoutIds } from './rest-answer.js';

const READY_WITHIN_MS = 10_000;

/** One archive: it is registered, described, asked everything that its steps ask, and unregistered. */
export function archiveGroup(root: string, archive: TestArchive, built: BuiltArchive): ComparisonGroup {
  const places: Places = { root, madeFolder: built.madeFolder };
  const { name } = archive;
  const manage = (method: string, path: string) => async (server: ServerUnderTest) => {
    const answer = await exchange(server.management, { method, path }, places);
    return withoutMoments(observedAnswer(answer));
  };
  return {
    name,
    settings: archive.settings ?? {},
    store: [built.file],
    comparisons: [
      { name: 'registers', ask: manage('POST', `/models?url=${basename(built.file)}&initial_workers=1&synchronous=true`) },
      { name: 'is described', ask: (server) => describedWhenReady(server, name, places) },
      ...archive.steps.map((step): Comparison => ({ name: step.name, ask: (server) => askStep(server, step, places), ...toleranceOf(archive) })),
      ...(archive.answersCustomizedDescribe === false
        ? []
        : [{ name: 'is described with what it says of itself', ask: manage('GET', `/models/${name}?customized=true`) }]),
      { name: 'unregisters', ask: manage('DELETE', `/models/${name}`) },
    ],
  };
}

function toleranceOf({ tolerance }: TestArchive): Pick<Comparison, 'tolerance'> {
  return tolerance === undefined ? {} : { tolerance };
}

/** The answers and log lines of a step; a step whose own check fails says how, so that two servers can't be wrong in the same way. */
async function askStep(server: ServerUnderTest, step: Step, places: Places): Promise<Observed> {
  const outcome = await runStep(server, step, places);
  let verdict = 'right';
  try {
    step.check(outcome);
  } catch (error) {
    verdict = `wrong: ${error instanceof Error ? error.message : error}`;
  }
  return {
    verdict,
    answers: outcome.answers.map((answer, index) =>
      step.requests[index]?.port === 'management' ? withoutMoments(observedAnswer(answer)) : observedAnswer(answer),
    ),
    lines: outcome.lines.map(withoutMomentsOfLine),
  };
}

/** TorchServe answers a registration a moment before it calls the worker ready. */
async function describedWhenReady(server: ServerUnderTest, name: string, places: Places): Promise<Observed> {
  for (const endAtMs = Date.now() + READY_WITHIN_MS; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const answer = await exchange(server.management, { method: 'GET', path: `/models/${name}` }, places);
    if (answer.body.toString().includes('"status": "READY"') || Date.now() > endAtMs) return withoutMoments(observedAnswer(answer));
  }
}

function withoutMomentsOfLine(line: string): string {
  return withoutIds(line)
    .replace(/^\S+ - /, '<time> - ')
    .replace(/timestamp:\d+/, 'timestamp:<time>');
}

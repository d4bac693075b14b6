import { cpSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestArchive } from '../archives/archive.js';
import { type BuiltArchive, buildArchives } from '../archives/build-archives.js';
import { CATALOGUE, commonSettings } from '../archives/catalogue.js';
import { madeInductorCache } from '../archives/inductor-cache.js';
import { runStep } from '../archives/run-step.js';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';
import { RunningServer } from './running-server.js';

/** Archives that have a server of their own: their requests wait for each other or for other processes. */
const APART = new Set(['stateful-sequence', 'continuous-batching', 'tensor-parallel', 'async-handler']);
/** A fresh clone makes all archives first. */
const MADE_WITHIN_MS = 240_000;
const STEP_WITHIN_MS = 180_000;
let built: ReadonlyMap<string, BuiltArchive>;

function madeOf(archive: TestArchive): BuiltArchive {
  const its = built.get(archive.name);
  if (its === undefined) throw new Error(`${archive.name} was not made`);
  return its;
}

/** Serves archives that agree in their settings with one real server, and does each one's steps. */
function served(archives: readonly TestArchive[]): void {
  const server = new RunningServer();

  beforeAll(async () => {
    for (const archive of archives) {
      const { file } = madeOf(archive);
      cpSync(file, join(server.store, basename(file)), { recursive: true });
    }
    await server.start({
      config: { ...commonSettings(ROOT), ...archives[0]?.settings },
      env: { OMP_NUM_THREADS: '1', TORCHINDUCTOR_CACHE_DIR: madeInductorCache(ROOT) },
    });
  });

  afterAll(() => server.dispose());

  describe.each(archives.map((archive) => [archive.name, archive.shows, archive] as const))('%s (%s)', (_name, _shows, archive) => {
    beforeAll(async () => {
      const answer = await server.manage('POST', `/models?url=${basename(madeOf(archive).file)}&initial_workers=1`);
      expect(answer.text).toContain('Version: 1.0 registered with 1 initial workers');
    }, STEP_WITHIN_MS);

    it.each(archive.steps.map((step) => [step.name, step] as const))(
      '%s',
      async (_step, step) => {
        step.check(await runStep(server, step, { root: ROOT, madeFolder: madeOf(archive).madeFolder }));
      },
      STEP_WITHIN_MS,
    );
  });
}

function withSettings(archives: readonly TestArchive[]): readonly (readonly [string, readonly TestArchive[]])[] {
  const together = new Map<string, TestArchive[]>();
  for (const archive of archives) {
    const settings = Object.entries(archive.settings ?? {}).map(([key, value]) => `${key}=${value}`);
    const key = settings.length === 0 ? 'the usual settings' : settings.join(', ');
    together.set(key, [...(together.get(key) ?? []), archive]);
  }
  return [...together];
}

beforeAll(async () => {
  built = await buildArchives(ROOT, PYTHON, CATALOGUE);
}, MADE_WITHIN_MS);

describe.each(withSettings(CATALOGUE.filter(({ name }) => !APART.has(name))))('a server with %s serves', (_settings, archives) => served(archives));

describe('a server with sequences, steps, overlapping requests and ranks serves', () => served(CATALOGUE.filter(({ name }) => APART.has(name))));

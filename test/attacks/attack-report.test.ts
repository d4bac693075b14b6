import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const attackShape = z.object({ id: z.string(), tries: z.string() });
const toldShape = z.looseObject({
  attacks: z.array(z.looseObject({ id: z.string(), came: z.string() })),
  strangers: z.array(z.looseObject({ id: z.string() })),
});
const resultShape = z.looseObject({ title: z.string(), file: z.string(), state: z.string() });

/** A function of scripts/attack, which is plain JavaScript. */
async function script<Out>(file: string, name: string, gives: z.ZodType<Out>): Promise<(...args: readonly unknown[]) => Out> {
  const module: Record<string, unknown> = await import(join(ROOT, 'scripts', 'attack', file));
  const made = z.instanceof(Function).parse(module[name]);
  return (...args) => gives.parse(Reflect.apply(made, undefined, args));
}

const CORPUS = JSON.stringify({
  ZA: { name: 'doors', attacks: { ZA1: 'the front door', ZA2: 'the back door', ZA10: { tries: 'the roof', notTried: 'there is no ladder' } } },
  ZB: { name: 'windows', attacks: { ZB1: 'a window' } },
});
const result = (title: string, state: string, failure = '') => ({ title, file: 'test/attacks/a.test.ts', state, failure });

async function tallied(...results: readonly unknown[]) {
  const corpus = (await script('corpus.mjs', 'readCorpus', z.array(z.looseObject(attackShape.shape))))(CORPUS);
  const told = (await script('tally.mjs', 'tally', toldShape))(results, corpus);
  return {
    came: Object.fromEntries(told.attacks.map(({ id, came }) => [id, came])),
    strangers: told.strangers.map(({ id }) => id),
    lines: (await script('report.mjs', 'report', z.array(z.string())))(told),
    brief: (await script('report.mjs', 'report', z.array(z.string())))(told, { brief: true }),
    held: (await script('tally.mjs', 'allHeld', z.boolean()))(told),
  };
}

describe('the report of attacks', () => {
  it('tells each attack as held, got through, without a test, or not tried and why', async () => {
    const { came, lines, held } = await tallied(
      result('ZA1 is locked', 'passed'),
      result('a house › ZA1 ZB1 is locked, too', 'passed'),
      result('ZB1 opens', 'failed', 'AssertionError: it opened'),
    );

    expect(came).toEqual({ ZA1: 'held', ZA2: 'missing', ZA10: 'not tried', ZB1: 'got through' });
    expect(held).toBe(false);
    expect(lines).toEqual([
      'ZA  doors: 1 tried, 1 held, 0 got through, 1 without a test that passed, 1 not tried',
      '  held         ZA1   the front door (2 tests)',
      '  NO TEST      ZA2   the back door',
      '  not tried    ZA10  the roof: there is no ladder',
      'ZB  windows: 1 tried, 0 held, 1 got through',
      '  GOT THROUGH  ZB1   a window',
      expect.stringContaining('test/attacks/a.test.ts › ZB1 opens\n'),
      'without a test that passed: 1',
      'cannot be tried here: 1',
      '2 attacks tried, 1 held, 1 got through',
    ]);
    expect(lines.join('\n')).toContain('AssertionError: it opened');
  });

  it('holds only when every attack did, names none of those in brief, and takes a skipped test for none', async () => {
    const all = ['ZA1', 'ZA2', 'ZA10', 'ZB1'].map((id) => result(`${id} is locked`, 'passed'));

    const whole = await tallied(...all);
    const skipped = await tallied(...all.slice(1), result('ZA1 is locked', 'skipped'));

    expect(whole.held).toBe(true);
    expect(whole.brief).toEqual([
      'ZA  doors: 3 tried, 3 held, 0 got through',
      'ZB  windows: 1 tried, 1 held, 0 got through',
      '4 attacks tried, 4 held, 0 got through',
    ]);
    expect([skipped.held, skipped.came.ZA1]).toEqual([false, 'missing']);
  });

  it('does not take one id for another, and names an id that the corpus lacks', async () => {
    const { came, strangers, held } = await tallied(
      result('ZA10 is locked', 'passed'),
      result('ZA11 is locked', 'passed'),
      result('XZA1 and ZA1x are no ids', 'passed'),
    );

    expect(came.ZA1).toBe('missing');
    expect(strangers).toEqual(['ZA11']);
    expect(held).toBe(false);
  });

  it('reads what vitest and pytest write', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sconce-results-'));
    writeFileSync(
      join(folder, 'system.json'),
      JSON.stringify({
        testResults: [
          {
            name: '/home/test/attacks/a.test.ts',
            assertionResults: [
              { ancestorTitles: ['doors'], title: 'ZA1 is locked', status: 'passed', failureMessages: [] },
              { ancestorTitles: [], title: 'ZA2 is locked', status: 'failed', failureMessages: ['it opened\n at line 1'] },
              { ancestorTitles: [], title: 'ZA10 is locked', status: 'pending', failureMessages: [] },
            ],
          },
        ],
      }),
    );
    writeFileSync(
      join(folder, 'python.xml'),
      '<testsuites><testsuite name="pytest"><testcase classname="python.tests.test_a" name="test_ZA1_is_locked" time="0.1" />' +
        '<testcase classname="python.tests.test_a" name="test_ZA2[&quot;a&quot;]"><failure message="it &lt;opened&gt;&#10;wide">trace</failure></testcase>' +
        '<testcase classname="python.tests.test_a" name="test_ZB1"><skipped message="no window" /></testcase></testsuite></testsuites>',
    );

    const results = (await script('results.mjs', 'readResults', z.array(resultShape)))(folder, '/home');
    rmSync(folder, { recursive: true });

    const file = 'test/attacks/a.test.ts';
    expect(results).toEqual([
      { title: 'doors › ZA1 is locked', file, state: 'passed', failure: '' },
      { title: 'ZA2 is locked', file, state: 'failed', failure: 'it opened' },
      { title: 'ZA10 is locked', file, state: 'skipped', failure: '' },
      { title: 'test_ZA1_is_locked', file: 'python/tests/test_a.py', state: 'passed', failure: '' },
      { title: 'test_ZA2["a"]', file: 'python/tests/test_a.py', state: 'failed', failure: 'it <opened>' },
      { title: 'test_ZB1', file: 'python/tests/test_a.py', state: 'skipped', failure: '' },
    ]);
  });

  it('is not asked for an attack that does not exist', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'attack.mjs'), '--only', 'ZZ9'], { encoding: 'utf8' });

    expect([status, stderr]).toEqual([2, '--only: the corpus has no attack or group ZZ9\n']);
  });
});

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PromptInjectionGuard } from '../../src/inputs/guards/prompt-injection.js';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';

const { stdout, stderr } = spawnSync(PYTHON, [join(ROOT, 'scripts', 'train-prompt-injection.py'), '--check'], { encoding: 'utf8' });

it('the built-in detector gives the scores that the training script gives', () => {
  const guard = new PromptInjectionGuard();
  const lines = [...stdout.matchAll(/^(\d\.\d{12}) (.*)$/gm)];

  expect([lines.length, stderr]).toEqual([3, '']);
  for (const [, score, text] of lines) expect(guard.score(text ?? '')).toBeCloseTo(Number(score), 9);
});

it('IN8 docs/inputs.md tells the figures that the weights have', () => {
  const page = readFileSync(join(ROOT, 'docs', 'inputs.md'), 'utf8');
  const figures = stdout.split('\n').filter((line) => line.includes('95 %'));

  expect(figures).toHaveLength(4);
  for (const line of figures) expect(page).toContain(line.slice(line.indexOf(': ') + 2));
});

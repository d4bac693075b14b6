// `node --test` in this folder. Needs `sconce` on the path or in the variable SCONCE: the model is tested as it is served.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

function ask(body) {
  const args = ['run', '.', '--json', '--quiet', '--type', 'application/json'];
  const { stdout, stderr, error } = spawnSync(process.env.SCONCE ?? 'sconce', args, { cwd: import.meta.dirname, input: body, encoding: 'utf8' });
  if (error !== undefined) throw error;
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

test('the sample is south-east', () => {
  const { status, body } = ask(readFileSync(`${import.meta.dirname}/sample.json`, 'utf8'));

  assert.equal(status, 200);
  assert.equal(Object.keys(body)[0], 'south-east');
  assert.ok(body['south-east'] > 0.9);
});

test('a point of three numbers is refused with 400', () => {
  const { status } = ask('{"point": [1, 2, 3]}');

  assert.equal(status, 400);
});

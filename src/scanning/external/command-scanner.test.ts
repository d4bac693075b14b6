import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { eventually } from '../../../test/fixtures/eventually.js';
import { ConfigInvalid } from '../../errors/config.js';
import { filesOf } from '../scan-tree.js';
import { parseScanners } from './command-scanner.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-scanner-'));
  writeFileSync(join(folder, 'a.pkl'), 'a');
  writeFileSync(join(folder, 'b.pkl'), 'b');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Zombies are gone, as far as work goes. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** A scanner that is this shell script; `$1` is what it is asked about. */
async function says(script: string, more: object = {}) {
  const [scanner] = parseScanners(JSON.stringify({ mine: { command: ['/bin/sh', '-c', script, 'sh', '{path}'], ...more } }));
  return scanner?.scan({ path: folder, files: filesOf(folder), archiveHash: undefined });
}

it("judges by its exit code: the codes that mean clean and dangerous are the operator's to name", async () => {
  expect(await says('exit 0')).toEqual([]);
  expect(await says('echo found os.system; exit 1')).toMatchObject([{ level: 'dangerous', says: 'is dangerous to mine: found os.system', scanner: 'mine' }]);
  expect(await says('echo oops >&2; exit 2')).toMatchObject([{ level: 'unknown', says: 'could not be scanned by mine: oops' }]);
  expect(await says('exit 7', { cleanExits: [7], dangerousExits: [0] })).toEqual([]);
});

it('is asked about each file where it wants that', async () => {
  expect(await says('case "$1" in *b.pkl) exit 1; esac', { each: 'file' })).toMatchObject([{ level: 'dangerous', file: 'b.pkl' }]);
});

it('may answer with a verdict in JSON, and with what it prints', async () => {
  expect(await says(`echo '{"verdict":"dangerous","findings":[{"file":"a.pkl","says":"runs a shell"}]}'`)).toMatchObject([
    { level: 'dangerous', file: 'a.pkl', says: 'runs a shell' },
  ]);
  expect(await says(`echo '{"verdict":"unknown"}'`)).toMatchObject([{ level: 'unknown', says: 'is unknown to mine' }]);
  expect(await says('echo Infected files: 3', { dangerousOutput: '^Infected files: [1-9]' })).toMatchObject([{ level: 'dangerous' }]);
});

it('sees no secret of the server, and cannot break a line of the log', async () => {
  vi.stubEnv('SCONCE_TEST_SECRET', 'xyz');

  const [{ says: text } = { says: '' }] = (await says('echo "[$SCONCE_TEST_SECRET]"; printf "a\\033[31mb\\r"; exit 1')) ?? [];

  expect(text).not.toContain('xyz');
  for (const control of ['\r', '\u001b']) expect(text).not.toContain(control);
});

it('runs in a folder of its own, which is gone afterwards', async () => {
  const [{ says: text } = { says: '' }] = (await says('touch left; pwd; exit 1')) ?? [];
  const scratch = text.split(': ').at(-1) ?? '';

  expect(scratch).toContain('sconce-scanner-');
  expect(scratch).not.toBe(folder);
  expect(existsSync(scratch)).toBe(false);
});

it('is ended with all it started when it takes too long or prints too much', async () => {
  const file = join(folder, 'pid');
  const [late] = (await says(`sleep 300 & echo $! > ${file}; wait`, { timeoutS: 1 })) ?? [];
  const pid = Number(readFileSync(file, 'utf8'));

  expect(late).toMatchObject({ level: 'unknown', says: 'could not be scanned by mine: it took longer than 1 s' });
  await eventually(
    () => !isAlive(pid),
    () => `process ${pid} has ended`,
  );
  expect(await says('yes')).toMatchObject([{ level: 'unknown', says: expect.stringContaining('printed more than') }]);
});

it('that is not there leaves a model unknown', async () => {
  const [scanner] = parseScanners('{"gone": {"command": ["no-such-scanner-here"]}}');

  expect(await scanner?.scan({ path: folder, files: [], archiveHash: undefined })).toMatchObject([{ level: 'unknown' }]);
  expect(await scanner?.fault()).toContain('no-such-scanner-here');
});

it.each(['nonsense', '[]', '{"a": {}}', '{"a b": {"command": ["x"]}}', '{"a": {"command": ["x"], "comand": 1}}'])('is not read from %s', (text) => {
  expect(() => parseScanners(text)).toThrow(expect.objectContaining({ code: ConfigInvalid.code }));
});

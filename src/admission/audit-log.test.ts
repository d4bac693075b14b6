import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anAuditEvent } from '../../test/fixtures/audit-lines.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { AuditLogUnusable } from '../errors/admission.js';
import { readLine } from './audit-chain.js';
import { chainFiles, verifyChain } from './audit-files.js';
import { AuditLog } from './audit-log.js';

const NOW = Date.UTC(2026, 10, 27, 12);
let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-log-'));
  path = join(folder, 'logs', 'sconce_audit.log');
});
afterEach(() => rmSync(folder, { recursive: true }));

function aLog(more: { rotateAtBytes?: number } = {}) {
  const log = new KeptLog();
  return { log, audit: new AuditLog({ path, log, now: () => NOW, ...more }) };
}
const linesOf = (file = path) => readFileSync(file, 'utf8').split('\n').slice(0, -1);
const results = () => linesOf().map((line) => readLine(line)?.result);
const verified = () => verifyChain(chainFiles(path), path);

it('each line holds who did what from where, its number and the digest of the line before, for the owner alone', async () => {
  const { audit } = aLog();
  audit.append(anAuditEvent());
  audit.append(anAuditEvent({ verb: 'register', version: undefined, result: 'MODEL_NOT_FOUND', why: 'because', count: 3 }));
  audit.close();

  const [first, second] = linesOf().map((line) => JSON.parse(line));
  const common = { time: '2026-11-27T12:00:00.000Z', who: 'token:ci', tenant: 'a', from: '/127.0.0.1:50000', request: 'r', subject: 'm' };
  expect(first).toEqual({ ...common, seq: 1, prev: '0'.repeat(64), verb: 'scale', version: '1.0', result: 'done' });
  expect(second).toEqual({
    ...common,
    seq: 2,
    prev: expect.stringMatching(/^[0-9a-f]{64}$/),
    verb: 'register',
    result: 'MODEL_NOT_FOUND',
    why: 'because',
    count: 3,
  });
  expect(readdirSync(join(folder, 'logs')).map((name) => statSync(join(folder, 'logs', name)).mode & 0o777)).toEqual([0o600, 0o600]);
  expect(await verified()).toMatchObject({ lines: 2, firstSeq: 1, broken: undefined });
});

it('goes on where it left off when the server starts again', async () => {
  for (let start = 0; start < 3; start++) {
    const { audit, log } = aLog();
    audit.append(anAuditEvent());
    audit.close();
    expect(log.lines).toEqual([]);
  }

  expect(await verified()).toMatchObject({ lines: 3, head: { seq: 3 }, broken: undefined });
});

it('a full file is put aside and the chain goes on in the next', async () => {
  const { audit } = aLog({ rotateAtBytes: 1000 });
  for (let i = 0; i < 20; i++) audit.append(anAuditEvent());
  audit.close();
  const again = aLog({ rotateAtBytes: 1000 });
  again.audit.append(anAuditEvent());
  again.audit.close();

  expect(chainFiles(path).length).toBeGreaterThan(3);
  expect(await verified()).toMatchObject({ lines: 21, firstSeq: 1, head: { seq: 21 }, broken: undefined });
  expect(again.log.lines).toEqual([]);
  rmSync(chainFiles(path)[0] ?? '');
  expect(await verified()).toMatchObject({ head: { seq: 21 }, broken: undefined });
  expect((await verified()).firstSeq).toBeGreaterThan(1);
});

describe('a log that is not as it was left', () => {
  it.each([
    ['shortened while nobody wrote', () => writeFileSync(path, `${linesOf()[0]}\n`)],
    ['gone while nobody wrote', () => rmSync(path)],
    ['without the word of its end', () => rmSync(path.replace('.log', '.head'))],
    ['longer by a line of another', () => appendFileSync(path, `${linesOf()[1]}\n`)],
    ['torn in its last line', () => appendFileSync(path, '{"seq":3,"time":"2026')],
  ])('%s says so in its next line, and in the server log', async (_, change) => {
    const { audit } = aLog();
    for (let i = 0; i < 2; i++) audit.append(anAuditEvent());
    audit.close();
    change();

    const again = aLog();
    again.audit.append(anAuditEvent());
    again.audit.close();

    expect(results().slice(-2)).toEqual(['AUDIT_LOG_CHANGED', 'done']);
    expect(again.log.lines).toEqual([expect.stringContaining('is not as this server left it')]);
    expect((await verified()).broken).toBeDefined();
  });

  it.each([
    ['a line of another', () => appendFileSync(path, `${linesOf()[0]}\n`)],
    ['a removed file', () => rmSync(path)],
    [
      'a file in its place',
      () => {
        rmSync(path);
        writeFileSync(path, '');
      },
    ],
  ])('%s is noticed while the server runs', (_, change) => {
    const { audit, log } = aLog();
    audit.append(anAuditEvent());
    change();
    audit.append(anAuditEvent());
    audit.append(anAuditEvent());
    audit.close();

    expect(results().slice(-3)).toEqual(['AUDIT_LOG_CHANGED', 'done', 'done']);
    expect(log.lines).toEqual([expect.stringContaining('is not as this server left it')]);
  });

  it('a server that was killed between a line and the word of it has left it as it should be', async () => {
    const { audit } = aLog();
    audit.append(anAuditEvent());
    const head = readFileSync(path.replace('.log', '.head'));
    audit.append(anAuditEvent());
    audit.close();
    writeFileSync(path.replace('.log', '.head'), head);

    const again = aLog();
    again.audit.append(anAuditEvent());
    again.audit.close();

    expect(again.log.lines).toEqual([]);
    expect(await verified()).toMatchObject({ lines: 3, broken: undefined });
  });
});

it('a log that cannot be written stops nobody; the lines that are lost are counted in the first that is not', () => {
  const { audit, log } = aLog();
  audit.append(anAuditEvent());
  rmSync(path);
  mkdirSync(path);
  for (let i = 0; i < 3; i++) audit.append(anAuditEvent());
  rmdirSync(path);
  audit.append(anAuditEvent());
  audit.close();

  expect(log.lines[0]).toContain('cannot be written; lines are lost');
  expect(linesOf().map((line) => [Reflect.get(JSON.parse(line), 'result'), Reflect.get(JSON.parse(line), 'count')])).toEqual([
    ['AUDIT_LOG_CHANGED', undefined],
    ['AUDIT_LINES_LOST', 3],
    ['done', undefined],
  ]);
});

it('a link or a folder in its place is no audit log', () => {
  mkdirSync(join(folder, 'logs'));
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'untouched');
  symlinkSync(victim, path);
  expect(() => aLog()).toThrow(expect.toSatisfy(AuditLogUnusable.is));
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
  rmSync(path);
  mkdirSync(path);
  expect(() => aLog()).toThrow('sconce_audit_log=off serves without');
  expect(existsSync(path.replace('.log', '.head'))).toBe(false);
});

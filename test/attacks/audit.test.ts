import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHAIN_START, nextLine } from '../../src/admission/audit-chain.js';
import { call, RunningServer } from '../e2e/running-server.js';
import { anAuditEvent } from '../fixtures/audit-lines.js';
import { RawClient } from '../fixtures/raw-http.js';
import { aGuardedServer, auditOf, bearer, keysOf, sconce } from '../fixtures/token-servers.js';

/** A server that did a few things and has ended. */
async function aFinishedServer(): Promise<RunningServer> {
  const server = await aGuardedServer();
  const headers = bearer(keysOf(server).management);
  for (const workers of [2, 1]) await call(`${server.management}/models/a-double?min_worker=${workers}&synchronous=true`, { method: 'PUT', headers });
  await call(`${server.management}/models/none`, { method: 'DELETE', headers });
  await call(`${server.inference}/ping`, { headers: bearer('wrong') });
  server.signal('SIGTERM');
  await server.exited;
  return server;
}

describe('LG3 of an audit log', () => {
  let server: RunningServer;
  let file = '';
  let whole = '';
  let head = '';
  beforeAll(async () => {
    server = await aFinishedServer();
    file = join(server.folder, 'logs', 'sconce_audit.log');
    whole = readFileSync(file, 'utf8');
    head = readFileSync(file.replace('.log', '.head'), 'utf8');
  });
  afterAll(() => server.dispose());
  const lines = (): string[] => whole.split('\n').slice(0, -1);
  const verified = async (changed: readonly string[]): Promise<string> => {
    writeFileSync(file, changed.map((line) => `${line}\n`).join(''));
    writeFileSync(file.replace('.log', '.head'), head);
    const { code, stdout } = await sconce(server, 'audit', 'verify');
    return `${code} ${stdout.replace(file, 'log').trim()}`;
  };

  it('that nobody touched, all is right, and it tells who did what', async () => {
    expect(await verified(lines())).toMatch(/^0 6 lines in 1 files, unbroken\. The last: 6:[0-9a-f]{64}$/);
    expect(auditOf(server).map(({ who, verb, subject, result }) => [who, verb, subject, result])).toEqual([
      ['server', 'start', expect.stringMatching(/^pid \d+$/), 'done'],
      ['key:management', 'scale', 'a-double', 'done'],
      ['key:management', 'scale', 'a-double', 'done'],
      ['key:management', 'unregister', 'none', 'MODEL_NOT_FOUND'],
      ['', 'authorize', 'infer', 'TOKEN_REFUSED'],
      ['server', 'stop', expect.stringMatching(/^pid \d+$/), 'done'],
    ]);
  });

  it('a deleted, edited, moved, repeated or foreign line is named', async () => {
    const all = lines();
    const at = (index: number): string => all[index] ?? '';
    const forged = nextLine({ seq: 2, sha256: CHAIN_START }, anAuditEvent(), 0).text;

    expect(await verified(all.toSpliced(2, 1))).toBe('1 log:3: the line before it was changed, removed or put in later');
    expect(await verified(all.with(2, at(2).replace('key:management', 'key:nobody')))).toBe('1 log:4: the line before it was changed, removed or put in later');
    expect(await verified(all.with(2, at(3)).with(3, at(2)))).toMatch(/^1 log:3: /);
    expect(await verified(all.toSpliced(2, 0, at(1)))).toMatch(/^1 log:3: /);
    expect(await verified(all.toSpliced(2, 0, forged))).toMatch(/^1 log:3: /);
    expect(await verified(all.toSpliced(2, 0, 'not a line'))).toBe('1 log:3: it is no line of an audit log');
    expect(await verified(all.slice(1))).toMatch(/^0 .* Lines before 2 are not here\./);
  });

  it('a shortened or lengthened end is named', async () => {
    const all = lines();
    const last = all.length;
    const chained = (from: number): string[] => {
      const events = [anAuditEvent({ who: 'key:management' }), anAuditEvent({ who: 'server' })];
      return [...all, ...events.slice(from).map((event) => nextLine({ seq: last, sha256: CHAIN_START }, event, 0).text)];
    };

    expect(await verified(all.slice(0, -1))).toBe(`1 log:${last - 1}: lines that followed it were removed`);
    expect(await verified(all.slice(0, 2))).toBe('1 log:2: lines that followed it were removed');
    expect(await verified([])).toBe('1 log:0: lines that followed it were removed');
    expect(await verified(chained(1))).toMatch(new RegExp(`^1 log:${last + 1}: `));
  });

  it('a chain that was made anew from its first line is told from the one that somebody remembers', async () => {
    const [, expected = ''] = /The last: (\S+)/.exec(await verified(lines())) ?? [];
    const forged: string[] = [];
    let end = { seq: 0, sha256: CHAIN_START };
    for (let i = 0; i < 10; i++) {
      const { text, head: next } = nextLine(end, anAuditEvent({ subject: 'nothing happened' }), 0);
      forged.push(text);
      end = next;
    }
    writeFileSync(file, forged.map((line) => `${line}\n`).join(''));
    writeFileSync(file.replace('.log', '.head'), JSON.stringify({ ...end, sizeBytes: 0 }));

    expect((await sconce(server, 'audit', 'verify')).code).toBe(0);
    const { code, stdout } = await sconce(server, 'audit', 'verify', '--expect', expected);
    expect([code, stdout]).toEqual([1, expect.stringContaining('is not the one that was expected')]);
    await verified(lines());
    expect((await sconce(server, 'audit', 'verify', '--expect', expected)).code).toBe(0);
  });

  it('what is asked for is shown', async () => {
    await verified(lines());
    const shown = async (...args: string[]) =>
      (await sconce(server, 'audit', 'show', '--json', ...args)).stdout.split('\n').filter((line) => line !== '').length;

    expect(await shown()).toBe(6);
    expect([await shown('--who', 'key:'), await shown('--result', 'done'), await shown('--verb', 'scale', '--last', '1')]).toEqual([3, 4, 1]);
    expect([await shown('--since', '2100'), await shown('--until', '2100'), await shown('--subject', 'a-double', '--tenant', 'default')]).toEqual([0, 6, 2]);
  });
});

it('LG3 a second writer is told of by the server, and its line is named', async () => {
  const server = await aGuardedServer();
  try {
    const file = join(server.folder, 'logs', 'sconce_audit.log');
    const headers = bearer(keysOf(server).management);
    appendFileSync(file, `${nextLine({ seq: 1, sha256: CHAIN_START }, anAuditEvent(), 0).text}\n`);

    await call(`${server.management}/models/a-double?min_worker=1&synchronous=true`, { method: 'PUT', headers });

    await server.outputHas('is not as this server left it');
    const { code, stdout } = await sconce(server, 'audit', 'verify');
    expect([code, stdout]).toEqual([1, expect.stringMatching(/sconce_audit\.log:2: /)]);
    expect(auditOf(server).at(-1)).toMatchObject({ verb: 'scale', result: 'done' });
  } finally {
    await server.dispose();
  }
});

it('LG1 LG4 what a caller writes makes one line, without control characters, and without the secrets of a URL', async () => {
  const server = await aGuardedServer({ sconce_log_json: 'true' });
  try {
    const { management } = keysOf(server);
    const hostile = ['%0d%0a{"seq":99}', '%1b%5b31m', '%e2%80%a8', '%e2%80%ae', '$%7Bjndi:ldap://127.0.0.1/a%7D', '%25s%25n', '%7f', '%00'];
    for (const name of hostile) await call(`${server.management}/models/m${name}`, { method: 'DELETE', headers: bearer(management) });
    const client = await RawClient.open({ port: Number(new URL(server.management).port) });
    client.send(`DELETE /models/\x1b[31m HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${management}\r\n\r\n`);
    await client.answer();
    client.close();
    const canary = 'song-of-a-canary';
    const url = encodeURIComponent(`https://user:${canary}@localhost/m.mar?X-Signature=${canary}`);
    await call(`${server.management}/models?url=${url}`, { method: 'POST', headers: bearer(management) });
    await call(`${server.management}/models?url=m.mar&password=${canary}`, { method: 'POST', headers: bearer(management) });
    await call(`${server.management}/workflows?url=${url}`, { method: 'POST', headers: bearer(management) });

    const text = server.log('sconce_audit.log');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(auditOf(server).filter(({ verb }) => verb === 'unregister').length).toBeGreaterThanOrEqual(hostile.length - 1);
    expect((await sconce(server, 'audit', 'verify')).code).toBe(0);
    server.signal('SIGTERM');
    await server.exited;
    for (const file of ['sconce_audit.log', 'access_log.log']) expect(server.log(file), file).not.toContain(canary);
  } finally {
    await server.dispose();
  }
});

describe('LG5', () => {
  it('an audit log that becomes unwritable is told of, and the server serves on', async () => {
    const server = await aGuardedServer();
    try {
      const file = join(server.folder, 'logs', 'sconce_audit.log');
      const headers = bearer(keysOf(server).management);
      rmSync(file);
      mkdirSync(file);

      const scaled = await call(`${server.management}/models/a-double?min_worker=1&synchronous=true`, { method: 'PUT', headers });

      expect(scaled.status).toBe(200);
      await server.outputHas('cannot be written; lines are lost');
      rmSync(file, { recursive: true });
      await call(`${server.management}/models/a-double?min_worker=1&synchronous=true`, { method: 'PUT', headers });
      expect(auditOf(server)).toContainEqual(expect.objectContaining({ result: 'AUDIT_LINES_LOST', count: 1 }));
    } finally {
      await server.dispose();
    }
  });

  it('a link in the place of the audit log keeps the server from starting, and what it leads to is left alone', async () => {
    const server = new RunningServer();
    const victim = join(server.folder, 'victim');
    writeFileSync(victim, 'untouched');
    mkdirSync(join(server.folder, 'logs'));
    symlinkSync(victim, join(server.folder, 'logs', 'sconce_audit.log'));
    try {
      await expect(aGuardedServer({}, server)).rejects.toThrow('sconce_audit_log=off serves without');
      expect(readFileSync(victim, 'utf8')).toBe('untouched');
    } finally {
      await server.dispose();
    }
  });

  it('without an audit the server says so, and at the level strict it does not start', async () => {
    const server = await aGuardedServer({ sconce_audit_log: 'off' });
    try {
      await server.outputHas('audit: nobody will know who changed what');
      expect(readdirSync(join(server.folder, 'logs'))).not.toContain('sconce_audit.log');
      server.signal('SIGTERM');
      await server.exited;
      await expect(aGuardedServer({ sconce_audit_log: 'off', sconce_security: 'strict' }, server)).rejects.toThrow('audit does not hold');
    } finally {
      await server.dispose();
    }
  });
});

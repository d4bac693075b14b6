import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogFiles } from './log-files.js';
import { serverLog } from './server-log.js';

let folder: string;
let console: string;
let files: LogFiles;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-logs-'));
  console = '';
  const sink = {
    write: (text: string) => {
      console += text;
    },
  };
  files = new LogFiles({ logFolder: folder, metricsFolder: folder, json: true, console: sink });
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function written(name: string): Promise<string> {
  await files.close();
  return readFileSync(join(folder, name), 'utf8');
}

const FORGED = '2026-01-01T00:00:00,000 [INFO ] main sconce - all is well';
const HOSTILE = `a\r\n${FORGED}\u001b[2J\u2028${FORGED}`;

describe('LG1 text of somebody else', () => {
  it('makes no line of its own in the server log, and nothing that a terminal obeys', async () => {
    const log = serverLog(files, 'sconce');
    log.warn(HOSTILE);
    log.error('it failed', new Error(HOSTILE));

    const text = await written('ts_log.log');

    for (const one of [text, console]) {
      expect(one.split('\n').filter((line) => line.startsWith('2026-01-01'))).toEqual([]);
      expect(one).not.toMatch(/(?![\t\n])[\p{Cc}\p{Zl}]/u);
    }
    expect(text).toContain('- a\\x0d\n\t2026-01-01');
  });

  it('makes no line of its own in the access log, the model log and those of the metrics', async () => {
    files.access(HOSTILE, {});
    files.model('INFO', 'W-9000-m_1.0-stdout', HOSTILE);
    files.modelMetric(HOSTILE);
    files.serverMetric(HOSTILE);
    await files.close();

    for (const name of ['access_log.log', 'model_log.log', 'model_metrics.log', 'ts_metrics.log'])
      expect([name, readFileSync(join(folder, name), 'utf8').replace(/\n$/, '')]).toEqual([name, expect.not.stringMatching(/[\p{Cc}\p{Zl}]/u)]);
  });

  it('is one object of one line in the log of objects', async () => {
    files.server('INFO', 'sconce', HOSTILE);

    const [line = '', ...others] = (await written('sconce_log.json')).split('\n');

    expect(others).toEqual(['']);
    expect(JSON.parse(line)).toMatchObject({ message: HOSTILE });
  });
});

it('a report of the server itself keeps its lines', async () => {
  files.report('sconce', '\nTorchserve version: 1\nTS Home: /x');

  expect(await written('ts_log.log')).toMatch(/ \[INFO \] main sconce - \nTorchserve version: 1\nTS Home: \/x\n$/);
});

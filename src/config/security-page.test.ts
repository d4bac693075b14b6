import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ALL_KEYS } from './keys.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const corpus = z.record(z.string(), z.object({ attacks: z.record(z.string(), z.unknown()) })).parse(JSON.parse(read('test/attacks/corpus.json')));
const attacks = new Set(Object.values(corpus).flatMap((group) => Object.keys(group.attacks)));
const defaults = new Map(ALL_KEYS.map(([, spec]) => [spec.key, spec.fallback]));
const pages = ['docs/security.md', 'SECURITY.md'] as const;

/** Ids of a text, ranges (`HT1–HT5`) included whole. */
function idsOf(text: string): string[] {
  return [...text.matchAll(/\b([A-Z]{2})(\d+)(?:–\1(\d+))?\b/g)].flatMap(([, group = '', first = '', last = first]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => `${group}${Number(first) + at}`),
  );
}

/** What stands between backticks, a table's `\|` as it reads. */
const codes = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code.replaceAll('\\|', '|'));
const cells = (row: string): string[] => row.split(/(?<!\\)\|/).map((cell) => cell.trim());
const rows = read('docs/security.md')
  .split('\n')
  .filter((line) => line.startsWith('| '));
/** Rows of the tables of clauses, the ones with four columns. */
const clauses = rows.map(cells).filter((row) => row.length === 6);

describe.each(pages)('%s', (page) => {
  it('names keys that exist', () => {
    const named = codes(read(page))
      .map((code) => code.split('=')[0] ?? '')
      .filter((code) => /^(?:sconce_)?[a-z]+(?:_[a-z]+)+$/.test(code));

    expect(named.filter((key) => !defaults.has(key))).toEqual([]);
    expect(named).not.toEqual([]);
  });

  it('names attacks, files and pages that exist', () => {
    const text = read(page);
    const folder = page.startsWith('docs/') ? 'docs' : '.';
    const files = codes(text).filter((code) => /^(?:src|test|python|scripts)\/\S+\.\w+$/.test(code));
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = '']) => join(folder, link));

    expect(idsOf(text).filter((id) => !attacks.has(id))).toEqual([]);
    expect([...files, ...links].filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
    expect(links).not.toEqual([]);
  });
});

describe('docs/security.md', () => {
  it('gives keys the defaults that they have', () => {
    const given = clauses.flatMap(([, , , keys = '']) =>
      [...keys.matchAll(/`([^`]+)`( unset)?/g)].map(([, code = '', unset]) => {
        const [key = '', ...value] = code.replaceAll('\\|', '|').split('=');
        return { key, value: unset === undefined ? value.join('=') : '', isTold: unset !== undefined || value.length > 0 };
      }),
    );

    const told = given.filter(({ key, isTold }) => isTold && defaults.has(key));
    expect(told.filter(({ key, value }) => (defaults.get(key) ?? '') !== value)).toEqual([]);
    expect(told.length).toBeGreaterThan(40);
  });

  it('names beside an attack a file that tries it', () => {
    const wrong = clauses.flatMap(([, , , , tests = '']) =>
      tests.split(';').flatMap((part) => {
        const files = codes(part);
        const sources = files.map(read);
        return files.length === 0 ? [] : idsOf(part).filter((id) => !sources.some((source) => new RegExp(`\\b${id}\\b`).test(source)) && !isMade(id, files));
      }),
    );

    expect(wrong).toEqual([]);
  });

  it('names every group of attacks', () => {
    const named = new Set(idsOf(read('docs/security.md')).map((id) => id.replace(/\d+/, '')));

    expect(Object.keys(corpus).filter((group) => !named.has(group))).toEqual([]);
  });
});

/** Whether the title comes out of the generator of pickles rather than out of the test's source. */
function isMade(id: string, files: readonly string[]): boolean {
  return files.includes('test/attacks/pickles.test.ts') && new RegExp(`\\b${id}\\b`).test(read('test/fixtures/pickles/make_attacks.py'));
}

import { expect, it } from 'vitest';
import { archiveSizeFindings, limitFindings } from './limit-findings.js';

const LIMITS = { maxArchiveBytes: 100, maxUnpackedBytes: 1000, maxEntries: 5 };
const files = (...names: readonly string[]) => names.map((name) => ({ name, path: `/x/${name}`, sizeBytes: 10 }));
const messages = (...names: readonly string[]) => limitFindings(files(...names), LIMITS).map(({ message }) => message);

it('names that the server takes say nothing', () => {
  expect(messages('a.py', 'sub/b.py')).toEqual([]);
});

it('names that differ only in case are told, each with its cure', () => {
  expect(messages('Labels.txt', 'labels.txt')).toEqual([
    'the server would refuse the archive for its names (two entries are called labels.txt, or differ only in case): rename one',
  ]);
});

it('too many files, too many bytes and too long an archive name the setting', () => {
  expect(messages('a', 'b', 'c', 'd', 'e', 'f')[0]).toContain('more than 5 entries: leave files out, or raise sconce_max_archive_entries there');
  const [over] = limitFindings([{ name: 'a', path: '/a', sizeBytes: 1001 }], LIMITS);
  expect(over?.message).toContain('raise sconce_max_unpacked_bytes there');
  expect(archiveSizeFindings(101, LIMITS)[0]?.message).toContain('sconce_max_archive_bytes');
  expect(archiveSizeFindings(100, LIMITS)).toEqual([]);
});

import { expect, it } from 'vitest';
import { requiredNames, requirementsFindings } from './requirements-findings.js';

const codes = (text: string) => requirementsFindings(text, 'requirements.txt').map(({ code }) => code);

it('a file of comments and options asks for nothing', () => {
  expect(codes('# numpy\n\n--index-url https://example.org/simple\n-r other.txt\n')).toEqual([]);
});

it.each([
  'numpy==1.26.4',
  'numpy == 1.26.4 # why',
  'torch[opt]==2.1 ; python_version > "3.9"',
  'x @ file:///wheels/x.whl',
  './x-1.0-py3-none-any.whl',
  'a==1 \\\n  --hash=sha256:00',
])('%s is pinned', (line) => {
  expect(codes(line)).toEqual(['requirements-need-setting']);
});

it.each(['numpy', 'numpy>=1.26', 'numpy==1.*', 'numpy~=1.2', 'numpy==1.2,<2', '-e ./here'])('%s is not', (line) => {
  expect(codes(line)).toEqual(['requirements-need-setting', 'requirements-unpinned']);
});

it('many loose names are told by the first five', () => {
  const [, loose] = requirementsFindings('a\nb\nc\nd\ne\nf\ng\n', 'requirements.txt');

  expect(loose?.message).toContain('(a, b, c, d, e and 2 more)');
});

it('names are compared as pip does', () => {
  expect([...requiredNames('Scikit_Learn==1.0\nsentence.transformers>2\n-r other.txt\n')]).toEqual(['scikit-learn', 'sentence-transformers']);
});

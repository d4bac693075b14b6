// What came of the tests, read from the files that vitest and pytest write: `[{title, file, state, failure}]`, state being passed, failed or skipped.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Results in the folder that `npm test` and `npm run attack` write to. A file that is missing gives none: what it should have told is then missed by id. */
export function readResults(folder, root) {
  const read = (name, parse) => (existsSync(join(folder, name)) ? parse(readFileSync(join(folder, name), 'utf8'), root) : []);
  return [...read('unit.json', vitestResults), ...read('system.json', vitestResults), ...read('python.xml', pytestResults)];
}

/** Of vitest's JSON report. */
function vitestResults(text, root) {
  return JSON.parse(text).testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ ancestorTitles, title, status, failureMessages }) => ({
      title: [...ancestorTitles, title].join(' › '),
      file: relative(root, name),
      state: status === 'passed' || status === 'failed' ? status : 'skipped',
      failure: firstLine(failureMessages?.[0]),
    })),
  );
}

/** Of pytest's JUnit report. */
function pytestResults(text) {
  return [...text.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(([, attributes, inside = '']) => {
    const attribute = (name) => unescaped(new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
    const trouble = /<(?:failure|error)(?: message="([^"]*)")?/.exec(inside);
    return {
      title: attribute('name'),
      file: `${attribute('classname').replaceAll('.', '/')}.py`,
      state: trouble !== null ? 'failed' : inside.includes('<skipped') ? 'skipped' : 'passed',
      failure: firstLine(unescaped(trouble?.[1] ?? '')),
    };
  });
}

function firstLine(text = '') {
  const [line] = text.split('\n');
  return line.length > 300 ? `${line.slice(0, 300)} …` : line;
}

function unescaped(text) {
  const known = { quot: '"', lt: '<', gt: '>', amp: '&', apos: "'", '#10': '\n', '#13': '' };
  return text.replace(/&(#?\w+);/g, (whole, name) => known[name] ?? whole);
}

import { figures } from './tally.mjs';

/** The lines for people: per group its figures, per attack one line (only those that did not hold, where `brief`), and the sum at the end. */
export function report(told, { brief = false } = {}) {
  const lines = [];
  for (const group of [...new Set(told.attacks.map((attack) => attack.group))]) {
    const members = told.attacks.filter((attack) => attack.group === group);
    lines.push(`${group}  ${members[0].groupName}: ${sum(figures(members))}`);
    for (const attack of members) if (!brief || attack.came !== 'held') lines.push(...attackLines(attack));
  }
  for (const { id, file, title } of told.strangers) lines.push(`${id} is not in test/attacks/corpus.json: ${file} › ${title}`);
  const total = figures(told.attacks);
  if (total.missing > 0) lines.push(`without a test that passed: ${total.missing}`);
  if (total.notTried > 0) lines.push(`cannot be tried here: ${total.notTried}`);
  lines.push(`${total.tried} attacks tried, ${total.held} held, ${total.through} got through`);
  return lines;
}

function sum({ tried, held, through, missing, notTried }) {
  const parts = [`${tried} tried`, `${held} held`, `${through} got through`];
  if (missing > 0) parts.push(`${missing} without a test that passed`);
  if (notTried > 0) parts.push(`${notTried} not tried`);
  return parts.join(', ');
}

function attackLines({ id, tries, came, notTried, tests }) {
  const line = (word, rest = '') => `  ${word.padEnd(12)} ${id.padEnd(5)} ${tries}${rest}`;
  if (came === 'held') {
    const ran = tests.filter(({ state }) => state === 'passed').length;
    return [line('held', ` (${ran} ${ran === 1 ? 'test' : 'tests'})`)];
  }
  if (came === 'not tried') return [line('not tried', `: ${notTried}`)];
  if (came === 'missing') return [line('NO TEST'), ...tests.map(({ file, title }) => `${' '.repeat(21)}skipped: ${file} › ${title}`)];
  return [
    line('GOT THROUGH'),
    ...tests.filter(({ state }) => state === 'failed').map(({ file, title, failure }) => `${' '.repeat(21)}${file} › ${title}\n${' '.repeat(23)}${failure}`),
  ];
}

/** The same for programs. */
export function reportJson(told) {
  const { tried, held, through, missing, notTried } = figures(told.attacks);
  return {
    tried,
    held,
    gotThrough: through,
    missing,
    notTried,
    attacks: told.attacks.map(({ id, group, tries, came, notTried: why, tests }) => ({
      id,
      group,
      tries,
      came,
      ...(why !== undefined && came === 'not tried' ? { why } : {}),
      tests: tests.map(({ file, title, state, failure }) => ({ file, title, state, ...(state === 'failed' ? { failure } : {}) })),
    })),
    strangers: told.strangers.map(({ id, file, title }) => ({ id, file, title })),
  };
}

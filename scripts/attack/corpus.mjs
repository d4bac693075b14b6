// The attacks that must hold: test/attacks/corpus.json, `{GROUP: {name, attacks: {ID: what is tried}}}`. An attack that no machine of ours can try is `{tries, notTried: why}`.
import { readFileSync } from 'node:fs';

const FILE = new URL('../../test/attacks/corpus.json', import.meta.url);

/** `[{id, group, groupName, tries, notTried}]` in the order of the corpus. */
export function readCorpus(text = readFileSync(FILE, 'utf8')) {
  return Object.entries(JSON.parse(text)).flatMap(([group, { name, attacks }]) =>
    Object.entries(attacks).map(([id, told]) => ({ id, group, groupName: name, ...(typeof told === 'string' ? { tries: told } : told) })),
  );
}

/** The ids of attacks that a title, a name of a Python test or a source names, whether the corpus knows them or not. */
export function idsIn(text, corpus) {
  const groups = [...new Set(corpus.map(({ group }) => group))].join('|');
  return [...new Set([...text.matchAll(new RegExp(`(?<![A-Za-z0-9])(?:${groups})\\d{1,3}(?![A-Za-z0-9])`, 'g'))].map(([id]) => id))];
}

/** The attacks that `--only` asks for by group or id (`HT,TK3`); all of them without it. Throws an Error for a name that is neither. */
export function chosen(corpus, only) {
  if (only === undefined) return corpus;
  const names = only.split(',').map((name) => name.trim().toUpperCase());
  const stranger = names.find((name) => !corpus.some(({ id, group }) => id === name || group === name));
  if (stranger !== undefined) throw new Error(`--only: the corpus has no attack or group ${stranger || '""'}`);
  return corpus.filter(({ id, group }) => names.includes(id) || names.includes(group));
}

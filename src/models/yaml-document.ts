import { parse, parseDocument } from 'yaml';

/** Aliases that one document may expand to: more is a bomb. */
const MAX_ALIASES = 1000;
const AS_PYYAML = { version: '1.1', merge: true, logLevel: 'error' } as const;

/** Reads a document with YAML 1.1's typing, as PyYAML does; of a key that stands twice the last counts. Throws what is wrong with it. */
export function parseYaml(content: string): unknown {
  return parse(content, { ...AS_PYYAML, uniqueKeys: false, maxAliasCount: MAX_ALIASES });
}

/** The same, strictly: mappings are Maps, so that no key is special; tags that YAML does not know and keys that stand twice are errors. Throws what is wrong with it. */
export function parseStrictYaml(content: string): unknown {
  const document = parseDocument(content, AS_PYYAML);
  const [trouble] = [...document.errors, ...document.warnings];
  if (trouble !== undefined) throw trouble;
  return document.toJS({ mapAsMap: true, maxAliasCount: MAX_ALIASES });
}

import { type Document, isScalar, type Node, type ParsedNode, parse, parseDocument, type ScalarTag, type Tags, visit } from 'yaml';

/** Aliases that one document may expand to: more is a bomb. */
const MAX_ALIASES = 1000;
const BOOLEAN = 'tag:yaml.org,2002:bool';
/** The library's own check of keys compares each with each: it would take seconds for what is read in milliseconds. */
const AS_PYYAML = { version: '1.1', merge: true, logLevel: 'error', uniqueKeys: false, customTags: withoutYAndN } as const;

/** Reads a document with YAML 1.1's typing, as PyYAML does; of a key that stands twice the last counts. Throws what is wrong with it. */
export function parseYaml(content: string): unknown {
  return parse(content, { ...AS_PYYAML, maxAliasCount: MAX_ALIASES });
}

/** The same, strictly: mappings are Maps, so that no key is special; tags that YAML does not know and keys that stand twice are errors. Throws what is wrong with it. */
export function parseStrictYaml(content: string): unknown {
  const document = parseDocument(content, AS_PYYAML);
  const [trouble] = [...document.errors, ...document.warnings];
  if (trouble !== undefined) throw trouble;
  const twice = keyThatStandsTwice(document);
  if (twice !== undefined) throw new Error(`The key ${JSON.stringify(twice)} stands twice in one mapping`);
  return document.toJS({ mapAsMap: true, maxAliasCount: MAX_ALIASES });
}

function keyThatStandsTwice(document: Document<ParsedNode> | Document.Parsed): unknown {
  let twice: unknown;
  visit(document as Document<Node>, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key) || key.value === '<<') continue;
        if (seen.has(key.value)) {
          twice = key.value;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return twice;
}

/** To YAML 1.1 `y` and `n` are booleans, to PyYAML and SnakeYAML they are names. */
function withoutYAndN(tags: Tags): Tags {
  return tags.map((tag) => {
    if (typeof tag !== 'object' || tag.tag !== BOOLEAN || !('test' in tag) || tag.test === undefined) return tag;
    return { ...(tag as ScalarTag), test: new RegExp(`(?!^[yYnN]$)${tag.test.source}`) };
  });
}

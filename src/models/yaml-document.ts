import {
  Composer,
  type CST,
  type Document,
  isScalar,
  Lexer,
  LineCounter,
  type Node,
  type ParsedNode,
  Parser,
  type ScalarTag,
  type Tags,
  visit,
  type YAMLError,
} from 'yaml';

/** Copies that the aliases of one document may stand for: more is a bomb. */
const MAX_COPIES = 1000;
/** Each is looked for in the whole document, and may bring another mapping's keys. */
const MAX_ALIASES = 100;
/** As SnakeYAML has it. What reads a document goes down with it, and where the stack ends in the middle of the library, the process may end. */
const MAX_DEPTH = 50;
/** It is read on the event loop, in less than a second. */
const MAX_LEXEMES = 150_000;
const MAX_CHARS = 2 ** 20;
const BOOLEAN = 'tag:yaml.org,2002:bool';
/** The library's own check of keys compares each with each: it would take seconds for what is read in milliseconds. */
const AS_PYYAML = { version: '1.1', merge: true, logLevel: 'error', uniqueKeys: false, customTags: withoutYAndN } as const;

/** A document that is no honest mistake but made to harm who reads it: a bomb, or one that names classes to be built. */
export class HostileYaml extends Error {}

/** Reads a document with YAML 1.1's typing, as PyYAML does; of a key that stands twice the last counts. Throws what is wrong with it, HostileYaml for what is made to harm. */
export function parseYaml(content: string): unknown {
  const { document, told } = read(content);
  const [error] = document.errors;
  if (error !== undefined) throw new Error(told(error));
  const unknown = document.warnings.find(({ code }) => code === 'TAG_RESOLVE_FAILED');
  if (unknown !== undefined) throw new HostileYaml(told(unknown));
  return contentOf(document, {});
}

/** The same, strictly: mappings are Maps, so that no key is special; tags that YAML does not know and keys that stand twice are errors. Throws what is wrong with it. */
export function parseStrictYaml(content: string): unknown {
  const { document, told } = read(content);
  const [trouble] = [...document.errors, ...document.warnings];
  if (trouble !== undefined) throw new Error(told(trouble));
  const twice = keyThatStandsTwice(document);
  if (twice !== undefined) throw new Error(`The key ${JSON.stringify(twice)} stands twice in one mapping`);
  return contentOf(document, { mapAsMap: true });
}

/** The one document that the text must be. Throws HostileYaml for one that is too long or too deep to be read safely. */
function read(content: string): { readonly document: Document.Parsed; readonly told: (trouble: YAMLError) => string } {
  if (content.length > MAX_CHARS) throw new HostileYaml(`It is longer than ${MAX_CHARS} characters`);
  const lines = new LineCounter();
  const [document, second] = new Composer(AS_PYYAML).compose(tokensOf(content, lines), true, content.length);
  if (document === undefined || second !== undefined) throw new Error('It holds several documents');
  const told = ({ message, pos: [at] }: YAMLError): string => {
    const { line, col } = lines.linePos(at);
    // Nothing of the text itself: it may look like a line of a log.
    return `${message.split('\n', 1)[0]} at line ${line}, column ${col}`;
  };
  return { document, told };
}

function* tokensOf(content: string, lines: LineCounter): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  let lexemes = 0;
  let aliases = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(content)) {
    lexemes += 1;
    if (lexemes > MAX_LEXEMES) throw new HostileYaml(`It has more than ${MAX_LEXEMES} words and signs`);
    if (lexeme.startsWith('*')) aliases += 1;
    if (aliases > MAX_ALIASES) throw new HostileYaml(`It has more than ${MAX_ALIASES} aliases`);
    yield* parser.next(lexeme);
    // The document itself, and the mapping or list at its top.
    if (parser.stack.length > MAX_DEPTH + 2) throw new HostileYaml(`It is nested deeper than ${MAX_DEPTH} levels`);
  }
  yield* parser.end();
}

function contentOf(document: Document.Parsed, options: { readonly mapAsMap?: boolean }): unknown {
  try {
    return document.toJS({ ...options, maxAliasCount: MAX_COPIES });
  } catch (error) {
    if (error instanceof ReferenceError && error.message.startsWith('Excessive alias count'))
      throw new HostileYaml(`Its aliases stand for more than ${MAX_COPIES} copies`);
    throw error;
  }
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

import { Pair, parseLines, stringify } from 'dot-properties';
import { ConfigInvalid } from '../errors/config.js';

/** One entry of a properties file, with the line it begins on. */
export interface Property {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

const LINE_END = /\r\n|\r|\n/;
/** A `\u` that is itself not escaped and is not followed by four hexadecimal digits. */
const MALFORMED_ESCAPE = /(?<!\\)(?:\\\\)*\\u(?![0-9a-f]{4})/i;

/** Reads Java properties text: escapes, continuation lines, all three separators. The last of two equal keys wins, as in Java. `name` is the file's, for messages. Throws ConfigInvalid for a malformed `\uXXXX`. */
export function parseProperties(content: string, name: string): readonly Property[] {
  const found = new Map<string, Property>();
  for (const node of parseLines(content, true)) {
    if (!(node instanceof Pair)) continue;
    const [start = 0, , , end = start] = node.range ?? [];
    const line = content.slice(0, start).split(LINE_END).length;
    if (MALFORMED_ESCAPE.test(content.slice(start, end)))
      throw ConfigInvalid({ message: `${node.key} (${name}:${line}) holds a \\u without four hexadecimal digits; a backslash is written \\\\` });
    found.set(node.key, { key: node.key, value: node.value, line });
  }
  return [...found.values()];
}

/** Properties text that `parseProperties` and Java read back as it was: an entry a line under its comments, in Latin-1, all beyond it as `\\uXXXX`. */
export function propertiesText(comments: readonly string[], entries: readonly (readonly [key: string, value: string])[]): string {
  return `${stringify([...comments, ...entries.map(([key, value]) => [key, value])], { commentPrefix: '#', keySep: '=', lineWidth: null })}\n`;
}

import { Pair, parseLines } from 'dot-properties';

/** One entry of a properties file, with the line it begins on. */
export interface Property {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** Reads Java properties text: escapes, continuation lines, all three separators. The last of two equal keys wins, as in Java. */
export function parseProperties(content: string): readonly Property[] {
  const found = new Map<string, Property>();
  for (const node of parseLines(content, true)) {
    if (!(node instanceof Pair)) continue;
    const [start = 0] = node.range ?? [];
    found.set(node.key, { key: node.key, value: node.value, line: content.slice(0, start).split('\n').length });
  }
  return [...found.values()];
}

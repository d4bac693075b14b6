import { inspect } from 'node:util';

/** A request as its failure names it. */
export interface Failing {
  readonly id: string;
}

const FIRST_LINES = 80;
const LAST_LINES = 120;
const LINE_CHARACTERS = 1000;
const IDS_A_LINE = 8;
const CAUSES = 5;
/** Frames that lead from the server to the handler: this room's own, and Node's. */
const OWN_FRAME = /^\s+at .*(node:|\/(dist|src)\/backends\/(javascript|thread-)[^\s]*)/;

/** `request_id=A request_id=B`, eight to a line: what a search for a client's `x-request-id` finds in the model log. */
export function requestLines(requests: readonly Failing[]): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < requests.length; at += IDS_A_LINE)
    lines.push(
      requests
        .slice(at, at + IDS_A_LINE)
        .map(({ id }) => `request_id=${id}`)
        .join(' '),
    );
  return lines;
}

/** What a handler threw, with its causes and the frames that are its own; at most 200 lines of 1,000 characters. Never throws. */
export function userStack(error: unknown): string {
  const lines = safely(() => causesOf(error).flatMap(describe)).filter((line) => !OWN_FRAME.test(line));
  const leftOut = lines.length - FIRST_LINES - LAST_LINES;
  const kept = leftOut > 0 ? [...lines.slice(0, FIRST_LINES), `  … ${leftOut} lines left out …`, ...lines.slice(-LAST_LINES)] : lines;
  return kept.map((line) => (line.length > LINE_CHARACTERS ? `${line.slice(0, LINE_CHARACTERS)} …` : line)).join('\n');
}

/** The error, then what caused it; an AggregateError's members too. */
function causesOf(error: unknown, depth = 0): readonly { readonly error: unknown; readonly depth: number }[] {
  if (depth >= CAUSES || !(error instanceof Error)) return [{ error, depth }];
  const members: readonly unknown[] = error instanceof AggregateError ? error.errors.slice(0, CAUSES) : [];
  const behind = [...members, ...(error.cause === undefined ? [] : [error.cause])];
  return [{ error, depth }, ...behind.flatMap((one) => causesOf(one, depth + 1))];
}

function describe({ error, depth }: { readonly error: unknown; readonly depth: number }): readonly string[] {
  const text = error instanceof Error ? (error.stack ?? String(error)) : inspect(error);
  return `${depth === 0 ? '' : 'Caused by: '}${text}`.split('\n');
}

function safely(lines: () => readonly string[]): readonly string[] {
  try {
    return lines();
  } catch {
    return ['The handler threw something that cannot be shown.']; // One of its getters throws.
  }
}

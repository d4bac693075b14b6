import { closeSync, constants, createReadStream, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { CHAIN_START, type ChainBreak, ChainCheck, type ChainHead, digestOfLine, readLine } from './audit-chain.js';

/** Longest line that is looked for at the end of a file. */
const TAIL_BYTES = 256 * 1024;
const HEAD_CHARS = 160;
const headShape = z.strictObject({ seq: z.int(), sha256: z.string(), sizeBytes: z.int() });

/** Where a chain was left: its head, and the length of the file that it ends in. */
export type LeftHead = z.infer<typeof headShape>;

/** The file beside a log that tells where its chain ends. */
export function headPathOf(path: string): string {
  return `${stemOf(path)}.head`;
}

/** Where a log is put that ends with line `seq`: the names sort as they follow. */
export function rotatedPath(path: string, seq: number): string {
  return `${stemOf(path)}.${String(seq).padStart(15, '0')}.log`;
}

/** The files of one chain, the oldest first, that which is written to last. Only those that are there. */
export function chainFiles(path: string): readonly string[] {
  const folder = dirname(path);
  const start = `${basename(stemOf(path))}.`;
  const rotated = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(start) && /^\d{15}\.log$/.test(name.slice(start.length))) : [];
  return [...rotated.sort().map((name) => join(folder, name)), ...(existsSync(path) ? [path] : [])];
}

export function readHead(path: string): LeftHead | undefined {
  try {
    return headShape.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Of one length always, so that it is overwritten in place. */
export function writeHead(path: string, head: LeftHead): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    writeSync(fd, `${JSON.stringify(head).padEnd(HEAD_CHARS)}\n`, 0);
  } finally {
    closeSync(fd);
  }
}

interface LastLine extends Pick<ChainHead, 'sha256'> {
  /** undefined: it is no line of an audit. */
  readonly seq: number | undefined;
  readonly prev: string | undefined;
  /** With its line break. */
  readonly lengthBytes: number;
  /** The server, or the machine, ended while it was written. */
  readonly isTorn: boolean;
}

/** The last line of an open file that isn't empty. */
export function lastLineOf(fd: number, sizeBytes: number): LastLine {
  const bytes = Buffer.alloc(Math.min(TAIL_BYTES, sizeBytes));
  readSync(fd, bytes, 0, bytes.length, sizeBytes - bytes.length);
  const tail = bytes.toString();
  const isTorn = !tail.endsWith('\n');
  const text = (isTorn ? tail : tail.slice(0, -1)).split('\n').at(-1) ?? '';
  const read = readLine(text);
  return { sha256: digestOfLine(text), seq: read?.seq, prev: read?.prev, lengthBytes: Buffer.byteLength(text) + 1, isTorn };
}

/** Where the newest file that was put aside ends; the start of a chain where there is none. */
export function previousHead(path: string): ChainHead {
  const newest = chainFiles(path)
    .filter((file) => file !== path)
    .at(-1);
  if (newest === undefined) return { seq: 0, sha256: CHAIN_START };
  const fd = openSync(newest, 'r');
  try {
    const { seq = 0, sha256 } = lastLineOf(fd, fstatSync(fd).size);
    return { seq, sha256 };
  } finally {
    closeSync(fd);
  }
}

/** What became of a chain that was followed through its files. */
export interface ChainReport {
  readonly lines: number;
  /** The last line's. */
  readonly head: ChainHead | undefined;
  /** The number of the first line that is there. Above 1: older files are somewhere else. */
  readonly firstSeq: number | undefined;
  readonly broken: (ChainBreak & { readonly file: string }) | undefined;
}

/** Follows the chain through `files` up to the first line that is wrong. `expected`: where it ended when somebody looked before, which it has to contain. */
export async function verifyChain(files: readonly string[], log: string, expected?: ChainHead): Promise<ChainReport> {
  let head: ChainHead | undefined;
  let firstSeq: number | undefined;
  let lines = 0;
  let isExpectedThere = expected === undefined;
  let last = { file: log, lineNumber: 0, prev: '' };
  for (const file of files) {
    const check: ChainCheck = new ChainCheck(head);
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      const broken = check.take(text);
      lines++;
      if (broken !== undefined) return { lines, head, firstSeq, broken: { ...broken, file } };
      head = check.head;
      firstSeq ??= head?.seq;
      last = { file, lineNumber: check.count, prev: readLine(text)?.prev ?? '' };
      if (head?.seq === expected?.seq && head?.sha256 === expected?.sha256) isExpectedThere = true;
    }
  }
  const left = files.includes(log) || files.length === 0 ? readHead(headPathOf(log)) : undefined;
  const isShortened = left !== undefined && left.sha256 !== head?.sha256 && left.sha256 !== last.prev;
  const why = isShortened ? 'lines that followed it were removed' : isExpectedThere ? undefined : `line ${expected?.seq} is not the one that was expected`;
  return { lines, head, firstSeq, broken: why === undefined ? undefined : { file: last.file, lineNumber: last.lineNumber, why } };
}

function stemOf(path: string): string {
  return path.replace(/\.log$/, '');
}

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AuditEvent } from './audit.js';

/** The digest before the first line. */
export const CHAIN_START = '0'.repeat(64);
/** The server found that the log was not as it had left it. */
export const LOG_CHANGED = 'AUDIT_LOG_CHANGED';

/** Where a chain ends: the number of its last line, and the SHA-256 of that line. */
export interface ChainHead {
  readonly seq: number;
  readonly sha256: string;
}

const line = z.looseObject({
  seq: z.int(),
  time: z.string(),
  prev: z.string(),
  who: z.string(),
  tenant: z.string(),
  from: z.string(),
  request: z.string(),
  verb: z.string(),
  subject: z.string(),
  version: z.string().optional(),
  result: z.string(),
  why: z.string().optional(),
  count: z.int().optional(),
});
export type AuditLine = z.infer<typeof line>;

const MAX_TEXT_CHARS = 1024;

/** The line that follows `head`, without its line break, and the head that it makes. JSON escapes what would break a line or colour a terminal. */
export function nextLine(head: ChainHead, event: AuditEvent, atMs: number): { readonly text: string; readonly head: ChainHead } {
  const { who, tenant, from, request, verb, subject, version, result, why, count } = event;
  const seq = head.seq + 1;
  const facts = { who: short(who), tenant, from, request, verb, subject: short(subject), version: version === undefined ? undefined : short(version), result };
  const text = printable(JSON.stringify({ seq, time: new Date(atMs).toISOString(), prev: head.sha256, ...facts, why, count }));
  return { text, head: { seq, sha256: digestOfLine(text) } };
}

/** undefined for text that is no line of an audit. */
export function readLine(text: string): AuditLine | undefined {
  try {
    return line.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export function digestOfLine(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What was found wrong with a chain, at the line where it shows. */
export interface ChainBreak {
  /** From 1. */
  readonly lineNumber: number;
  readonly why: string;
}

/** Follows a chain line by line. */
export class ChainCheck {
  #head: ChainHead | undefined;
  #count = 0;

  /** `head`: where the file before this one ended; undefined where it isn't there, and the first line is believed. */
  constructor(head: ChainHead | undefined) {
    this.#head = head;
  }

  get head(): ChainHead | undefined {
    return this.#head;
  }

  get count(): number {
    return this.#count;
  }

  /** Why the chain breaks here; undefined where it goes on. */
  take(text: string): ChainBreak | undefined {
    const lineNumber = ++this.#count;
    const read = readLine(text);
    const before = this.#head;
    if (read === undefined) return { lineNumber, why: 'it is no line of an audit log' };
    this.#head = { seq: read.seq, sha256: digestOfLine(text) };
    if (before === undefined && read.seq === 1 && read.prev !== CHAIN_START) return { lineNumber, why: 'it says that it is the first, and is not' };
    if (before !== undefined && read.prev !== before.sha256) return { lineNumber, why: 'the line before it was changed, removed or put in later' };
    if (before !== undefined && read.seq !== before.seq + 1) return { lineNumber, why: `its number is ${read.seq}, not ${before.seq + 1}` };
    if (read.result === LOG_CHANGED) return { lineNumber, why: 'the server found here that lines before it had been changed or removed' };
    return undefined;
  }
}

function short(text: string): string {
  return text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
}

function printable(json: string): string {
  return json.replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

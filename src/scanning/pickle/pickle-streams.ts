import { type ByteSource, occurrences, Stretch } from '../byte-source.js';
import { type Content, inside, type ScanContext } from '../scan-context.js';
import { arrayLayout } from './joblib-array.js';
import { NameRules } from './name-rules.js';
import { STORAGE_ELEMENT_BYTES } from './persistent-reference.js';
import { PickleMachine } from './pickle-machine.js';
import type { ArrayReader, PickleEvent, PickleRun } from './pickle-run.js';

/** What torch.save's old layout begins with: this number, a version, facts of the system, the object, the keys of its storages, then these. */
const LEGACY_MAGIC = Number(0x1950a86a20f9469cfc6cn);
const LEGACY_STREAMS = 5;
/** Random bytes don't get so far. */
const SURE_OPCODES = 16;
/** Streams that may be none, before a file is given up as no pickle. */
const MAX_TENTATIVE = 64;
/** How far bytes that are nothing known are searched for pickles. */
const SEARCHED_BYTES = 64 * 2 ** 20;
const MAX_CANDIDATES = 20_000;
const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*$/u;

/** Scans a content as pickle streams, one behind the other. Gives whether it is any. Throws ScanLimitReached. */
export async function scanPickles(content: Content, context: ScanContext): Promise<boolean> {
  const { source } = content;
  const runs: PickleRun[] = [];
  // To a pickle, its letter is a reference that a zip's header follows.
  if (['504b03', '504b05', '504b06'].includes(source.read(0, 3).toString('hex'))) return false;
  let at = 0;
  // Ended so far, and not sure to be pickles: one that is may follow.
  let tentative = 0;
  let isAny = false;
  while (at < source.sizeBytes && tentative <= MAX_TENTATIVE) {
    const run = runAt(source, at, content, context);
    context.budget.time();
    const isSure = isPickle(run, content);
    if (isSure) await report(run, content, context);
    else tentative += 1;
    isAny ||= isSure;
    if (run.end !== 'stop') {
      if (isSure) return true;
      break;
    }
    at = run.endsAt;
    runs.push(run);
    if (runs.length === LEGACY_STREAMS && isLegacyTorch(runs)) at = Math.min(source.sizeBytes, legacyEnd(source, at, runs));
  }
  if (!isAny) return false;
  if (at < source.sizeBytes) {
    const says = `${source.sizeBytes - at} bytes behind the last pickle are no pickle`;
    context.report({ level: 'unknown', rule: 'pickle-trailing', file: content.path, offset: at, says });
    await searchPickles(content, at, context);
  }
  return true;
}

/** Looks for pickles anywhere in a stretch of bytes that are nothing else. Only what certainly acts is told of. */
export async function searchPickles(content: Content, from: number, context: ScanContext): Promise<void> {
  const { source } = content;
  let candidates = 0;
  for (const at of occurrences(source, Buffer.from([0x80]), from, from + SEARCHED_BYTES)) {
    const [, protocol = 0, next = 0] = source.read(at, 3);
    // Behind the header of protocols 2 to 5 comes what opens a value.
    if (protocol < 2 || protocol > 5 || !CAN_FOLLOW_HEADER.has(next)) continue;
    candidates += 1;
    if (candidates > MAX_CANDIDATES) return;
    const run = runAt(source, at, content, context);
    if (run.hasHeader && isSurelyActing(run)) await report(run, content, context);
  }
}

const CAN_FOLLOW_HEADER: ReadonlySet<number> = new Set(
  Buffer.from('(})]cXKJMNUVSIFiP\u0085\u0088\u0089\u008a\u008c\u008d\u0082\u0095\u008f\u0096BC\u008eq', 'latin1'),
);

function runAt(source: ByteSource, at: number, { isTorchScript }: Content, context: ScanContext): PickleRun {
  const rules = new NameRules(context.own, isTorchScript);
  const { budget } = context;
  const readArray: ArrayReader = (wrapper, behind) => {
    const layout = arrayLayout(wrapper.state);
    if (layout === undefined) return undefined;
    if (layout.kind === 'pickled') {
      const nested = new PickleMachine(source, behind, { rules, budget, readArray: undefined }).run();
      return { goesOnAt: nested.endsAt, nested };
    }
    const padding = layout.isAligned ? 1 + (source.read(behind, 1)[0] ?? 0) : 0;
    const goesOnAt = behind + padding + layout.bytes;
    return goesOnAt <= source.sizeBytes ? { goesOnAt, nested: undefined } : undefined;
  };
  return new PickleMachine(source, at, { rules, budget, readArray }).run();
}

/**
 * Any bytes can be read as opcodes for a while: text most of all, in the protocols that have no header, and now and then the raw numbers of a checkpoint. So
 * a few opcodes count only where a pickle is to be expected, or where they are all there is.
 */
function isPickle(run: PickleRun, { source, depth, path }: Content): boolean {
  const { hasHeader, end, isBroken, opcodes, endsAt, events } = run;
  if (isSurelyActing(run)) return true;
  const isSound = end === 'stop' && !isBroken;
  if (opcodes >= SURE_OPCODES && (hasHeader || isSound)) return true;
  const isWhole = isSound && endsAt === source.sizeBytes && opcodes > 1;
  if (!hasHeader) return isWhole;
  const isExpected = depth === 0 || /\.(pkl|pickle|debug_pkl)$/i.test(path);
  return isWhole || events.some(isNamedImport) || (isExpected && opcodes > 1 && end !== 'not-opcode');
}

/** It calls something by a name that a module can have. An import alone is also what a list of words looks like. */
function isSurelyActing({ events, hasHeader, end, isBroken }: PickleRun): boolean {
  const acts = events.some(({ kind, name }) => kind === 'act' && name !== undefined && IDENTIFIER.test(name));
  return acts || ((hasHeader || (end === 'stop' && !isBroken)) && events.some(isNamedImport) && end === 'stop');
}

function isNamedImport({ kind, name }: PickleEvent): boolean {
  return kind === 'import' && name !== undefined && IDENTIFIER.test(name);
}

async function report(run: PickleRun, content: Content, context: ScanContext): Promise<void> {
  const file = content.path;
  for (const event of merged(run.events)) {
    const { kind, offset, opcode, name, says } = event;
    const at = { file, offset, opcode, ...(name === undefined ? {} : { name }) };
    if (kind === 'own-code') context.report({ level: 'note', rule: 'pickle-own-class', ...at, says: `${says}; it is handler code, and runs as such` });
    else if (kind === 'persistent') context.report({ level: 'unknown', rule: 'pickle-reference', ...at, says });
    else if (kind === 'import') context.report({ level: 'dangerous', rule: 'pickle-import', ...at, says: `${says}, which no weights need` });
    else context.report({ level: 'dangerous', rule: 'pickle-call', ...at, says: `${says} when it is unpickled` });
  }
  const isHarmless = run.events.every(({ kind }) => kind !== 'import' && kind !== 'act');
  if (run.end === 'limit') {
    context.report({
      level: 'dangerous',
      rule: 'limit',
      file,
      offset: run.endsAt,
      says: `asks for more memory at byte ${run.endsAt} than any honest pickle does`,
    });
  } else if (run.end !== 'stop') {
    // What came before the break has run by then.
    context.report({ level: 'unknown', rule: 'pickle-broken', file, offset: run.endsAt, says: `breaks off at byte ${run.endsAt} as a pickle` });
  } else if (run.isBroken && isHarmless) {
    context.report({ level: 'unknown', rule: 'pickle-broken', file, offset: run.endsAt, says: 'takes values that are not there, which an unpickler refuses' });
  }
  for (const { at, length } of run.nested) await scanNested(content, at, length, context);
  for (const { at } of run.skipped) {
    const asOpcodes = runAt(content.source, at, content, context);
    if (isSurelyActing(asOpcodes)) await report({ ...asOpcodes, skipped: [] }, content, context);
  }
}

async function scanNested(content: Content, at: number, length: number, context: ScanContext): Promise<void> {
  await context.scan(inside(content, `bytes at ${at}`, new Stretch(content.source, at, length)));
}

/** A name that is called needs no word that it is imported. */
function merged(events: readonly PickleEvent[]): readonly PickleEvent[] {
  const acting = new Set(events.filter(({ kind }) => kind === 'act').map(({ name }) => name));
  const seen = new Set<string>();
  return events.filter(({ kind, name, says }) => {
    if (kind === 'import' && name !== undefined && acting.has(name)) return false;
    const key = `${kind} ${says}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function isLegacyTorch([first, second]: readonly PickleRun[]): boolean {
  return first?.result.kind === 'int' && first.result.value === LEGACY_MAGIC && second?.result.kind === 'int';
}

/** Where the raw storages end: each is a count of elements, and these. */
function legacyEnd(source: ByteSource, from: number, runs: readonly PickleRun[]): number {
  const storages = runs[3]?.storages ?? new Map<string, string>();
  let at = from;
  for (const type of storages.values()) {
    const head = source.read(at, 8);
    if (head.length < 8) return at;
    const elements = Number(head.readBigInt64LE(0));
    if (elements < 0) return at;
    at += 8 + elements * (STORAGE_ELEMENT_BYTES[type] ?? 1);
  }
  return at;
}

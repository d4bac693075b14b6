import type { ByteSource } from '../byte-source.js';
import type { ScanBudget } from '../scan-budget.js';
import { ByteCursor, StreamEnded } from './byte-cursor.js';
import type { NameRules } from './name-rules.js';
import { OPCODE_NAMES } from './opcode-names.js';
import { unescapedUnicode, unquoted } from './text-escapes.js';
import {
  ANYTHING,
  BOOL,
  type DictValue,
  emptyDict,
  FLOAT,
  type ImportedName,
  KEPT_ITEMS,
  MAX_TEXT_CHARS,
  NONE,
  nameOf,
  type ObjectValue,
  SET,
  setItem,
  tuple,
  type Value,
} from './value.js';

/** What the machine saw a pickle do. */
export interface PickleEvent {
  /** `import`: a name that isn't listed. `act`: a listed or unlisted thing is done what no honest pickle does to it. `persistent`: a reference that only its own loader resolves. */
  readonly kind: 'import' | 'act' | 'persistent' | 'own-code';
  readonly offset: number;
  readonly opcode: string;
  readonly name?: string | undefined;
  readonly says: string;
}

/** How a stream ended: at its STOP, at the end of the bytes, at a byte that is no opcode, or where it asked for more than an unpickler should give. */
export type PickleEnd = 'stop' | 'cut' | 'not-opcode' | 'limit';

export interface PickleRun {
  readonly end: PickleEnd;
  /** Behind the last opcode that was read. */
  readonly endsAt: number;
  readonly hasHeader: boolean;
  /** It took from an empty stack or an unwritten memo: an unpickler would have given up. */
  readonly isBroken: boolean;
  readonly opcodes: number;
  readonly events: readonly PickleEvent[];
  /** What load would give. */
  readonly result: Value;
  /** Storages of torch that the stream refers to: their types by key. */
  readonly storages: ReadonlyMap<string, string>;
  /** Bytes that a loader of the stream unpickles in turn. */
  readonly nested: readonly { readonly at: number; readonly length: number }[];
  /** Stretches that joblib reads as raw arrays, where pickle.load would go on reading opcodes. */
  readonly skipped: readonly { readonly at: number; readonly length: number }[];
}

/** A place behind a joblib array's state: gives where the stream goes on, undefined where that can't be told. */
export type ArrayReader = (wrapper: ObjectValue, at: number) => { readonly goesOnAt: number; readonly nested: PickleRun | undefined } | undefined;

export interface MachineOptions {
  readonly rules: NameRules;
  readonly budget: ScanBudget;
  readonly readArray: ArrayReader | undefined;
}

/** The stream wants more memory than any honest one does. */
class StreamLimit extends Error {}

const MAX_LINE_BYTES = 4096;
const MAX_EVENTS = 100;
const CHECK_EVERY = 4096;
/** pickle begins a new one after 64 KiB, but for what is longer by itself. */
const MAX_FRAME_BYTES = 2 ** 40;
/** No honest number has so many digits. */
const MAX_LONG_BYTES = 1 << 20;
/** joblib's wrapper, whose array follows its state in the stream. */
const ARRAY_WRAPPERS: ReadonlySet<string> = new Set(['joblib.numpy_pickle.NumpyArrayWrapper']);

/**
 * Follows a pickle's opcodes without doing what they say. The stack holds what is known of each value; whatever is imported or called is looked up in
 * the rules. Where it can't know, it goes on with a value that nothing may be done with: an unpickler that gives up earlier has done less.
 */
export class PickleMachine {
  readonly #cursor: ByteCursor;
  #stack: Value[] = [];
  readonly #marks: Value[][] = [];
  readonly #memo: (Value | undefined)[] = [];
  readonly #events: PickleEvent[] = [];
  readonly #storages = new Map<string, string>();
  readonly #nested: { at: number; length: number }[] = [];
  readonly #skipped: { at: number; length: number }[] = [];
  /** Entries that are written, which is where MEMOIZE puts the next. */
  #memoized = 0;
  #opcodes = 0;
  #opcodeAt = 0;
  #opcode = 0;
  #hasHeader = false;
  #isBroken = false;

  constructor(
    source: ByteSource,
    private readonly start: number,
    private readonly options: MachineOptions,
  ) {
    this.#cursor = new ByteCursor(source, start);
  }

  /** Throws ScanLimitReached. */
  run(): PickleRun {
    let end: PickleEnd;
    try {
      end = this.#loop();
    } catch (error) {
      if (!(error instanceof StreamEnded) && !(error instanceof StreamLimit)) throw error;
      end = error instanceof StreamEnded ? 'cut' : 'limit';
    } finally {
      this.options.budget.opcodes(this.#opcodes % CHECK_EVERY);
    }
    return {
      end,
      endsAt: end === 'not-opcode' ? this.#opcodeAt : this.#cursor.position,
      hasHeader: this.#hasHeader,
      isBroken: this.#isBroken,
      opcodes: this.#opcodes,
      events: this.#events,
      result: this.#stack.at(-1) ?? ANYTHING,
      storages: this.#storages,
      nested: this.#nested,
      skipped: this.#skipped,
    };
  }

  #loop(): PickleEnd {
    for (;;) {
      this.#opcodeAt = this.#cursor.position;
      this.#opcode = this.#cursor.byte();
      if (OPCODE_NAMES[this.#opcode] === undefined) return 'not-opcode';
      this.#opcodes += 1;
      if (this.#opcodes % CHECK_EVERY === 0) this.options.budget.opcodes(CHECK_EVERY);
      if (this.#opcode === 46) return 'stop';
      this.#step(this.#opcode);
    }
  }

  #step(opcode: number): void {
    const cursor = this.#cursor;
    switch (opcode) {
      case 128:
        if (this.#opcodeAt === this.start) this.#hasHeader = true;
        // An unpickler refuses a protocol that it doesn't know.
        if (cursor.byte() > 5) this.#isBroken = true;
        return;
      case 149:
        if (cursor.uint64() > MAX_FRAME_BYTES) throw new StreamLimit();
        return;
      case 78:
        return this.#push(NONE);
      case 136:
      case 137:
        return this.#push(BOOL);
      case 73:
      case 76:
        return this.#push(decimal(cursor.line(MAX_LINE_BYTES).text.toString('latin1')));
      case 75:
        return this.#push({ kind: 'int', value: cursor.byte() });
      case 77:
        return this.#push({ kind: 'int', value: cursor.take(2).readUInt16LE(0) });
      case 74:
        return this.#push({ kind: 'int', value: cursor.take(4).readInt32LE(0) });
      case 138:
        return this.#push(longOf(cursor.take(cursor.byte())));
      case 139:
        return this.#long4();
      case 70:
        cursor.line(MAX_LINE_BYTES);
        return this.#push(FLOAT);
      case 71:
        cursor.skip(8);
        return this.#push(FLOAT);
      case 83: {
        const { text, isWhole } = cursor.line(MAX_LINE_BYTES);
        return this.#push({ kind: 'text', value: isWhole ? unquoted(text.toString('latin1')) : undefined });
      }
      case 86: {
        const { text, isWhole } = cursor.line(MAX_LINE_BYTES);
        return this.#push({ kind: 'text', value: isWhole ? unescapedUnicode(text.toString('latin1')) : undefined });
      }
      // Byte strings of Python 2 become text unless a loader says otherwise.
      case 84:
        return this.#text(cursor.uint32(), 'latin1');
      case 85:
        return this.#text(cursor.byte(), 'latin1');
      case 140:
        return this.#text(cursor.byte(), 'utf8');
      case 88:
        return this.#text(cursor.uint32(), 'utf8');
      case 141:
        return this.#text(cursor.uint64(), 'utf8');
      case 67:
        return this.#bytes(cursor.byte());
      case 66:
        return this.#bytes(cursor.uint32());
      case 142:
      case 150:
        return this.#bytes(cursor.uint64());
      case 151:
        return this.#push({ kind: 'bytes', at: undefined, length: 0 });
      case 152:
        return;
      case 93:
        return this.#push({ kind: 'list', items: [] });
      case 125:
        return this.#push(emptyDict());
      case 41:
        return this.#push(tuple([]));
      case 143:
        return this.#push(SET);
      case 133:
      case 134:
      case 135:
        return this.#push(tuple(this.#popMany(opcode - 132)));
      case 116:
        return this.#push(tuple(this.#popMark()));
      case 108:
        return this.#push({ kind: 'list', items: this.#popMark().slice(0, KEPT_ITEMS) });
      case 145:
        this.#popMark();
        return this.#push(SET);
      case 100:
        return this.#setItems(emptyDict(), this.#popMark(), true);
      case 40:
        this.#marks.push(this.#stack);
        this.#stack = [];
        if (this.#marks.length > this.options.budget.limits.memo) throw new StreamLimit();
        return;
      case 48:
        // Python's POP takes a mark where nothing lies above it.
        if (this.#stack.length === 0 && this.#marks.length > 0) this.#popMark();
        else this.#pop();
        return;
      case 49:
        this.#popMark();
        return;
      case 50:
        return this.#push(this.#top());
      case 112:
        return this.#put(Number(cursor.line(MAX_LINE_BYTES).text.toString('latin1')));
      case 113:
        return this.#put(cursor.byte());
      case 114:
        return this.#put(cursor.uint32());
      case 148:
        return this.#put(this.#memoized);
      case 103:
        return this.#get(Number(cursor.line(MAX_LINE_BYTES).text.toString('latin1')));
      case 104:
        return this.#get(cursor.byte());
      case 106:
        return this.#get(cursor.uint32());
      case 97:
        return this.#extend([this.#pop()]);
      case 101:
      case 144:
        return this.#extend(this.#popMark());
      case 115:
        return this.#setItems(undefined, this.#popMany(2), false);
      case 117:
        return this.#setItems(undefined, this.#popMark(), false);
      case 99: {
        const module = this.#nameLine();
        return this.#push(this.#import(module, this.#nameLine()));
      }
      case 147: {
        const [module, name] = this.#popMany(2);
        return this.#push(this.#import(module, name));
      }
      case 105: {
        const module = this.#nameLine();
        return this.#call(this.#import(module, this.#nameLine()), this.#popMark(), 'call');
      }
      case 111: {
        const [callable = ANYTHING, ...args] = this.#popMark();
        return this.#call(callable, args, 'call');
      }
      case 82: {
        const [callable = ANYTHING, args] = this.#popMany(2);
        return this.#call(callable, this.#argumentsOf(args), 'call');
      }
      case 129: {
        const [callable = ANYTHING, args] = this.#popMany(2);
        return this.#call(callable, this.#argumentsOf(args), 'make');
      }
      case 146: {
        const [callable = ANYTHING, args, named] = this.#popMany(3);
        if (named?.kind !== 'dict' || named.items.size > 0) this.#act(callable, `makes an instance of ${nameOf(callable)} with named arguments`);
        return this.#call(callable, this.#argumentsOf(args), 'make');
      }
      case 98:
        return this.#build();
      case 80: {
        const { text } = cursor.line(MAX_LINE_BYTES);
        return this.#push(this.#persistent({ kind: 'text', value: text.toString('latin1') }));
      }
      case 81:
        return this.#push(this.#persistent(this.#pop()));
      default:
        return this.#extension(opcode);
    }
  }

  #push(value: Value): void {
    this.#stack.push(value);
    if (this.#stack.length > this.options.budget.limits.memo) throw new StreamLimit();
  }

  #pop(): Value {
    const value = this.#stack.pop();
    if (value !== undefined) return value;
    this.#isBroken = true;
    return ANYTHING;
  }

  #top(): Value {
    const value = this.#stack.at(-1);
    if (value === undefined) this.#isBroken = true;
    return value ?? ANYTHING;
  }

  /** In the order in which they were pushed. */
  #popMany(count: number): Value[] {
    const values: Value[] = [];
    for (let n = 0; n < count; n += 1) values.unshift(this.#pop());
    return values;
  }

  #popMark(): Value[] {
    const items = this.#stack;
    const below = this.#marks.pop();
    if (below === undefined) this.#isBroken = true;
    this.#stack = below ?? [];
    return items;
  }

  #put(index: number): void {
    const value = this.#top();
    if (!Number.isInteger(index) || index < 0) {
      this.#isBroken = true;
      return;
    }
    // An unpickler makes room for every index below.
    if (index > this.options.budget.limits.memo) throw new StreamLimit();
    while (this.#memo.length < index) this.#memo.push(undefined);
    if (this.#memo[index] === undefined) this.#memoized += 1;
    this.#memo[index] = value;
  }

  #get(index: number): void {
    const value = this.#memo[index];
    if (value === undefined) this.#isBroken = true;
    this.#push(value ?? ANYTHING);
  }

  #long4(): void {
    const length = this.#cursor.take(4).readInt32LE(0);
    if (length < 0) {
      this.#isBroken = true;
      return this.#push(ANYTHING);
    }
    if (length <= 16) return this.#push(longOf(this.#cursor.take(length)));
    if (length > MAX_LONG_BYTES) throw new StreamLimit();
    this.#cursor.skip(length);
    this.#push({ kind: 'int', value: Number.NaN });
  }

  #text(length: number, encoding: 'latin1' | 'utf8'): void {
    if (length > MAX_TEXT_CHARS) {
      this.#cursor.skip(length);
      return this.#push({ kind: 'text', value: undefined });
    }
    this.#push({ kind: 'text', value: this.#cursor.take(length).toString(encoding) });
  }

  #bytes(length: number): void {
    const at = this.#cursor.position;
    this.#cursor.skip(length);
    this.#push({ kind: 'bytes', at, length });
  }

  #nameLine(): Value {
    const { text, isWhole } = this.#cursor.line(MAX_TEXT_CHARS);
    return { kind: 'text', value: isWhole ? text.toString('utf8') : undefined };
  }

  #argumentsOf(value: Value | undefined): readonly Value[] | undefined {
    if (value?.kind === 'tuple') return value.count > KEPT_ITEMS ? undefined : value.items;
    return undefined;
  }

  #import(module: Value | undefined, name: Value | undefined): Value {
    if (module?.kind !== 'text' || name?.kind !== 'text' || module.value === undefined || name.value === undefined) {
      this.#tell({ kind: 'import', says: 'imports a name that is made while it is unpickled' });
      return ANYTHING;
    }
    const imported = this.options.rules.canonical(module.value, name.value);
    const allowed = this.options.rules.find(imported);
    if (allowed === undefined) this.#tell({ kind: 'import', name: nameOf(imported), says: `imports ${nameOf(imported)}` });
    else if (allowed.isOwn) this.#tell({ kind: 'own-code', name: nameOf(imported), says: `needs its own code: the class ${nameOf(imported)} of the archive` });
    return imported;
  }

  #call(callable: Value, args: readonly Value[] | undefined, how: 'call' | 'make'): void {
    this.#push(this.#called(callable, args, how));
  }

  #called(callable: Value, args: readonly Value[] | undefined, how: 'call' | 'make'): Value {
    const verb = how === 'call' ? 'calls' : 'makes an instance of';
    if (callable.kind !== 'name') {
      this.#act(callable, `${verb} ${nameOf(callable)}`);
      return ANYTHING;
    }
    const rule = this.options.rules.find(callable)?.[how];
    const wrong =
      rule === undefined
        ? ''
        : args === undefined
          ? 'arguments that are not known'
          : rule(args, (inner, given, howInner) => this.#called(inner, given, howInner).kind !== 'anything');
    if (wrong !== undefined) {
      this.#act(callable, `${verb} ${nameOf(callable)}${wrong === '' ? '' : ` with ${wrong}`}`);
      return ANYTHING;
    }
    const loaded = this.options.rules.find(callable)?.unpickles === true ? args?.[0] : undefined;
    if (loaded?.kind === 'bytes' && loaded.at !== undefined) this.#nested.push({ at: loaded.at, length: loaded.length });
    return { kind: 'object', of: callable, args: (args ?? []).slice(0, KEPT_ITEMS), state: undefined };
  }

  #build(): void {
    const [target = ANYTHING, state = ANYTHING] = this.#popMany(2);
    this.#push(target);
    if (target.kind !== 'object' || this.options.rules.find(target.of)?.takesState !== true) {
      // What is loaded as torch's storage or a plain container has no state of its own.
      this.#act(target, `sets the state of ${nameOf(target)}`);
      return;
    }
    if (hasSpecialKey(state)) this.#act(target, `sets special attributes of ${nameOf(target)}`);
    target.state = state;
    if (this.options.readArray === undefined || !ARRAY_WRAPPERS.has(nameOf(target.of))) return;
    const at = this.#cursor.position;
    const read = this.options.readArray(target, at);
    if (read === undefined) {
      this.#isBroken = true;
      return;
    }
    for (const event of read.nested?.events ?? []) if (this.#events.length < MAX_EVENTS) this.#events.push(event);
    if (read.nested?.isBroken || (read.nested !== undefined && read.nested.end !== 'stop')) this.#isBroken = true;
    if (read.nested === undefined) this.#skipped.push({ at, length: read.goesOnAt - at });
    this.#cursor.position = read.goesOnAt;
  }

  #extend(items: readonly Value[]): void {
    const target = this.#top();
    if (target.kind === 'list') target.items.push(...items.slice(0, KEPT_ITEMS - target.items.length));
    else if (target.kind !== 'set' && target.kind !== 'object') this.#act(target, `adds to ${nameOf(target)}`);
  }

  #setItems(made: DictValue | undefined, flat: readonly Value[], pushes: boolean): void {
    const target = made ?? this.#top();
    if (target.kind === 'dict') for (let n = 0; n + 1 < flat.length; n += 2) setItem(target, flat[n] ?? ANYTHING, flat[n + 1] ?? ANYTHING);
    else if (target.kind !== 'object') this.#act(target, `sets items of ${nameOf(target)}`);
    if (pushes) this.#push(target);
  }

  #persistent(id: Value): Value {
    const reference = this.options.rules.persistent(id);
    if (reference === undefined) this.#tell({ kind: 'persistent', says: 'refers to something that only its own loader knows' });
    else if (reference.kind === 'storage') this.#storages.set(reference.key, reference.type);
    return reference ?? ANYTHING;
  }

  #extension(opcode: number): void {
    this.#cursor.skip(opcode === 130 ? 1 : opcode === 131 ? 2 : 4);
    this.#tell({ kind: 'import', says: 'imports by a number of the extension registry' });
    this.#push(ANYTHING);
  }

  #act(target: Value, says: string): void {
    this.#tell({
      kind: 'act',
      ...(target.kind === 'name' || target.kind === 'object' ? { name: nameOf(target.kind === 'name' ? target : target.of) } : {}),
      says,
    });
  }

  #tell(event: Omit<PickleEvent, 'offset' | 'opcode'>): void {
    if (this.#events.length < MAX_EVENTS) this.#events.push({ ...event, offset: this.#opcodeAt, opcode: OPCODE_NAMES[this.#opcode] ?? '' });
  }
}

/** Either half of a state may set attributes. */
function hasSpecialKey(state: Value): boolean {
  if (state.kind === 'dict') return state.hasSpecialKey;
  return state.kind === 'tuple' && state.items.some((item) => item.kind === 'dict' && item.hasSpecialKey);
}

function decimal(text: string): Value {
  const digits = text.trim().replace(/L$/, '');
  return digits === '00' || digits === '01' ? BOOL : { kind: 'int', value: /^[+-]?\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN };
}

/** Little-endian two's complement. */
function longOf(bytes: Buffer): Value {
  if (bytes.length === 0) return { kind: 'int', value: 0 };
  if (bytes.length > 16) return { kind: 'int', value: Number.NaN };
  let value = 0n;
  for (let n = bytes.length - 1; n >= 0; n -= 1) value = (value << 8n) | BigInt(bytes[n] ?? 0);
  return { kind: 'int', value: Number(BigInt.asIntN(bytes.length * 8, value)) };
}

/** For rules that compare. */
export function sameName(value: Value | undefined, module: string, name: string): value is ImportedName {
  return value?.kind === 'name' && value.module === module && value.name === name;
}

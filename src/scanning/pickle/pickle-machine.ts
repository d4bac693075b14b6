import type { ByteSource } from '../byte-source.js';
import type { ScanBudget } from '../scan-budget.js';
import { ByteCursor, StreamEnded } from './byte-cursor.js';
import { ARRAY_WRAPPER } from './joblib-array.js';
import type { NameRules } from './name-rules.js';
import { decimal, longOf } from './number-values.js';
import { OPCODE_NAMES } from './opcode-names.js';
import type { ArrayReader, PickleEnd, PickleEvent, PickleRun } from './pickle-run.js';
import { PickleStack, StreamLimit } from './pickle-stack.js';
import { unescapedUnicode, unquoted } from './text-escapes.js';
import {
  ANYTHING,
  BOOL,
  type DictValue,
  emptyDict,
  FLOAT,
  hasSpecialKey,
  KEPT_ITEMS,
  MAX_TEXT_CHARS,
  NONE,
  nameOf,
  SET,
  setItem,
  tuple,
  type Value,
} from './value.js';

export interface MachineOptions {
  readonly rules: NameRules;
  readonly budget: ScanBudget;
  readonly readArray: ArrayReader | undefined;
}

const MAX_LINE_BYTES = 4096;
const MAX_EVENTS = 100;
const CHECK_EVERY = 4096;
/** pickle begins a new one after 64 KiB, but for what is longer by itself. */
const MAX_FRAME_BYTES = 2 ** 40;
/** No honest number has so many digits. */
const MAX_LONG_BYTES = 1 << 20;

/**
 * Follows a pickle's opcodes without doing what they say. The stack holds what is known of each value; whatever is imported or called is looked up in
 * the rules. Where it can't know, it goes on with a value that nothing may be done with: an unpickler that gives up earlier has done less.
 */
export class PickleMachine {
  readonly #cursor: ByteCursor;
  readonly #stack: PickleStack;
  readonly #events: PickleEvent[] = [];
  readonly #storages = new Map<string, string>();
  readonly #nested: { at: number; length: number }[] = [];
  readonly #skipped: { at: number; length: number }[] = [];
  #opcodes = 0;
  #opcodeAt = 0;
  #opcode = 0;
  #hasHeader = false;

  constructor(
    source: ByteSource,
    private readonly start: number,
    private readonly options: MachineOptions,
  ) {
    this.#cursor = new ByteCursor(source, start);
    this.#stack = new PickleStack(options.budget.limits.memo);
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
      isBroken: this.#stack.isBroken,
      opcodes: this.#opcodes,
      events: this.#events,
      result: this.#stack.last ?? ANYTHING,
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
      if (this.#opcode === 46) {
        this.#stack.top();
        return 'stop';
      }
      this.#step(this.#opcode);
    }
  }

  #step(opcode: number): void {
    const cursor = this.#cursor;
    switch (opcode) {
      case 128:
        if (this.#opcodeAt === this.start) this.#hasHeader = true;
        // An unpickler refuses a protocol that it doesn't know.
        if (cursor.byte() > 5) this.#stack.isBroken = true;
        return;
      case 149:
        if (cursor.uint64() > MAX_FRAME_BYTES) throw new StreamLimit();
        return;
      case 78:
        return this.#stack.push(NONE);
      case 136:
      case 137:
        return this.#stack.push(BOOL);
      case 73:
      case 76:
        return this.#stack.push(decimal(cursor.line(MAX_LINE_BYTES).text.toString('latin1')));
      case 75:
        return this.#stack.push({ kind: 'int', value: cursor.byte() });
      case 77:
        return this.#stack.push({ kind: 'int', value: cursor.take(2).readUInt16LE(0) });
      case 74:
        return this.#stack.push({ kind: 'int', value: cursor.take(4).readInt32LE(0) });
      case 138:
        return this.#stack.push(longOf(cursor.take(cursor.byte())));
      case 139:
        return this.#long4();
      case 70:
        cursor.line(MAX_LINE_BYTES);
        return this.#stack.push(FLOAT);
      case 71:
        cursor.skip(8);
        return this.#stack.push(FLOAT);
      case 83: {
        const { text, isWhole } = cursor.line(MAX_LINE_BYTES);
        return this.#stack.push({ kind: 'text', value: isWhole ? unquoted(text.toString('latin1')) : undefined });
      }
      case 86: {
        const { text, isWhole } = cursor.line(MAX_LINE_BYTES);
        return this.#stack.push({ kind: 'text', value: isWhole ? unescapedUnicode(text.toString('latin1')) : undefined });
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
        return this.#stack.push({ kind: 'bytes', at: undefined, length: 0 });
      case 152:
        return;
      case 93:
        return this.#stack.push({ kind: 'list', items: [] });
      case 125:
        return this.#stack.push(emptyDict());
      case 41:
        return this.#stack.push(tuple([]));
      case 143:
        return this.#stack.push(SET);
      case 133:
      case 134:
      case 135:
        return this.#stack.push(tuple(this.#stack.popMany(opcode - 132)));
      case 116:
        return this.#stack.push(tuple(this.#stack.popMark()));
      case 108:
        return this.#stack.push({ kind: 'list', items: this.#stack.popMark().slice(0, KEPT_ITEMS) });
      case 145:
        this.#stack.popMark();
        return this.#stack.push(SET);
      case 100:
        return this.#setItems(emptyDict(), this.#stack.popMark(), true);
      case 40:
        return this.#stack.mark();
      case 48:
        return this.#stack.drop();
      case 49:
        this.#stack.popMark();
        return;
      case 50:
        return this.#stack.push(this.#stack.top());
      case 112:
        return this.#stack.put(Number(cursor.line(MAX_LINE_BYTES).text.toString('latin1')));
      case 113:
        return this.#stack.put(cursor.byte());
      case 114:
        return this.#stack.put(cursor.uint32());
      case 148:
        return this.#stack.memoize();
      case 103:
        return this.#stack.get(Number(cursor.line(MAX_LINE_BYTES).text.toString('latin1')));
      case 104:
        return this.#stack.get(cursor.byte());
      case 106:
        return this.#stack.get(cursor.uint32());
      case 97:
        return this.#extend([this.#stack.pop()]);
      case 101:
      case 144:
        return this.#extend(this.#stack.popMark());
      case 115:
        return this.#setItems(undefined, this.#stack.popMany(2), false);
      case 117:
        return this.#setItems(undefined, this.#stack.popMark(), false);
      case 99: {
        const module = this.#nameLine();
        return this.#stack.push(this.#import(module, this.#nameLine()));
      }
      case 147: {
        const [module, name] = this.#stack.popMany(2);
        return this.#stack.push(this.#import(module, name));
      }
      case 105: {
        const module = this.#nameLine();
        return this.#call(this.#import(module, this.#nameLine()), this.#stack.popMark(), 'call');
      }
      case 111: {
        const [callable = ANYTHING, ...args] = this.#stack.popMark();
        return this.#call(callable, args, 'call');
      }
      case 82: {
        const [callable = ANYTHING, args] = this.#stack.popMany(2);
        return this.#call(callable, this.#argumentsOf(args), 'call');
      }
      case 129: {
        const [callable = ANYTHING, args] = this.#stack.popMany(2);
        return this.#call(callable, this.#argumentsOf(args), 'make');
      }
      case 146: {
        const [callable = ANYTHING, args, named] = this.#stack.popMany(3);
        if (named?.kind !== 'dict' || named.items.size > 0) this.#act(callable, `makes an instance of ${nameOf(callable)} with named arguments`);
        return this.#call(callable, this.#argumentsOf(args), 'make');
      }
      case 98:
        return this.#build();
      case 80: {
        const { text } = cursor.line(MAX_LINE_BYTES);
        return this.#stack.push(this.#persistent({ kind: 'text', value: text.toString('latin1') }));
      }
      case 81:
        return this.#stack.push(this.#persistent(this.#stack.pop()));
      default:
        return this.#extension(opcode);
    }
  }

  #long4(): void {
    const length = this.#cursor.take(4).readInt32LE(0);
    if (length < 0) {
      this.#stack.isBroken = true;
      return this.#stack.push(ANYTHING);
    }
    if (length <= 16) return this.#stack.push(longOf(this.#cursor.take(length)));
    if (length > MAX_LONG_BYTES) throw new StreamLimit();
    this.#cursor.skip(length);
    this.#stack.push({ kind: 'int', value: Number.NaN });
  }

  #text(length: number, encoding: 'latin1' | 'utf8'): void {
    if (length > MAX_TEXT_CHARS) {
      this.#cursor.skip(length);
      return this.#stack.push({ kind: 'text', value: undefined });
    }
    this.#stack.push({ kind: 'text', value: this.#cursor.take(length).toString(encoding) });
  }

  #bytes(length: number): void {
    const at = this.#cursor.position;
    this.#cursor.skip(length);
    this.#stack.push({ kind: 'bytes', at, length });
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
    this.#stack.push(this.#called(callable, args, how));
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
    const [target = ANYTHING, state = ANYTHING] = this.#stack.popMany(2);
    this.#stack.push(target);
    if (target.kind !== 'object' || this.options.rules.find(target.of)?.takesState !== true) {
      this.#act(target, `sets the state of ${nameOf(target)}`);
      return;
    }
    if (hasSpecialKey(state)) this.#act(target, `sets special attributes of ${nameOf(target)}`);
    target.state = state;
    if (this.options.readArray === undefined || nameOf(target.of) !== ARRAY_WRAPPER) return;
    const at = this.#cursor.position;
    const read = this.options.readArray(target, at);
    if (read === undefined) {
      this.#stack.isBroken = true;
      return;
    }
    for (const event of read.nested?.events ?? []) if (this.#events.length < MAX_EVENTS) this.#events.push(event);
    if (read.nested?.isBroken || (read.nested !== undefined && read.nested.end !== 'stop')) this.#stack.isBroken = true;
    if (read.nested === undefined) this.#skipped.push({ at, length: read.goesOnAt - at });
    this.#cursor.position = read.goesOnAt;
  }

  #extend(items: readonly Value[]): void {
    const target = this.#stack.top();
    if (target.kind === 'list') target.items.push(...items.slice(0, KEPT_ITEMS - target.items.length));
    else if (target.kind !== 'set' && target.kind !== 'object') this.#act(target, `adds to ${nameOf(target)}`);
  }

  #setItems(made: DictValue | undefined, flat: readonly Value[], pushes: boolean): void {
    const target = made ?? this.#stack.top();
    if (target.kind === 'dict') for (let n = 0; n + 1 < flat.length; n += 2) setItem(target, flat[n] ?? ANYTHING, flat[n + 1] ?? ANYTHING);
    else if (target.kind !== 'object') this.#act(target, `sets items of ${nameOf(target)}`);
    if (pushes) this.#stack.push(target);
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
    this.#stack.push(ANYTHING);
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

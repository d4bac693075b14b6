/** A name that a pickle imported. */
export interface ImportedName {
  readonly kind: 'name';
  readonly module: string;
  readonly name: string;
}

/** What a pickle would hold on its stack, as far as the rules ask for it. Only strings, numbers and tuples that may be arguments keep what they are. */
export type Value =
  | { readonly kind: 'none' | 'bool' | 'float' | 'set' | 'anything' }
  | { readonly kind: 'int'; readonly value: number }
  /** `value` is undefined where it is too long for a name, or not sure. */
  | { readonly kind: 'text'; readonly value: string | undefined }
  /** Where its bytes lie in the stream; undefined where they don't lie there as they are. */
  | { readonly kind: 'bytes'; readonly at: number | undefined; readonly length: number }
  | { readonly kind: 'tuple'; readonly items: readonly Value[]; readonly count: number }
  | ListValue
  | DictValue
  | ImportedName
  /** What a call of `of` gave. */
  | ObjectValue
  | { readonly kind: 'storage'; readonly type: string; readonly key: string };

interface ListValue {
  readonly kind: 'list';
  /** The first few. */
  readonly items: Value[];
}

/** Mutable, as what it stands for is. */
export interface DictValue {
  readonly kind: 'dict';
  /** Those under text keys; the first few. */
  readonly items: Map<string, Value>;
  /** A key such as `__class__`: as somebody's state it would change what they are. */
  hasSpecialKey: boolean;
}

export interface ObjectValue {
  readonly kind: 'object';
  readonly of: ImportedName;
  readonly args: readonly Value[];
  state: Value | undefined;
}

export const NONE: Value = { kind: 'none' };
export const BOOL: Value = { kind: 'bool' };
export const FLOAT: Value = { kind: 'float' };
export const SET: Value = { kind: 'set' };
/** Something that the scanner lost track of. */
export const ANYTHING: Value = { kind: 'anything' };

/** What is kept of a container. No rule looks further. */
export const KEPT_ITEMS = 64;
/** Longest text that can be a name. */
export const MAX_TEXT_CHARS = 512;

export function tuple(items: readonly Value[]): Value {
  return { kind: 'tuple', items: items.slice(0, KEPT_ITEMS), count: items.length };
}

export function emptyDict(): DictValue {
  return { kind: 'dict', items: new Map(), hasSpecialKey: false };
}

export function setItem(dict: DictValue, key: Value, value: Value): void {
  if (key.kind !== 'text' || key.value === undefined) return;
  if (/^__\w+__$/.test(key.value)) dict.hasSpecialKey = true;
  if (dict.items.size < KEPT_ITEMS) dict.items.set(key.value, value);
}

/** `torch.Size`; what isn't a name is told by its kind. */
export function nameOf(value: Value | undefined): string {
  if (value === undefined || value.kind === 'anything') return 'what is not known';
  if (value.kind === 'name') return `${value.module}.${value.name}`;
  return value.kind === 'object' ? `an instance of ${nameOf(value.of)}` : `a ${value.kind}`;
}

/** Whether a state would change what its object is. Either half of one may set attributes. */
export function hasSpecialKey(state: Value): boolean {
  if (state.kind === 'dict') return state.hasSpecialKey;
  return state.kind === 'tuple' && state.items.some((item) => item.kind === 'dict' && item.hasSpecialKey);
}

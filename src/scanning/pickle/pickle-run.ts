import type { ObjectValue, Value } from './value.js';

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

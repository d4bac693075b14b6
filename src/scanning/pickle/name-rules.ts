import { ALLOWED, type AllowedName } from './allow-list.js';
import { ANYTHING_GOES } from './argument-rules.js';
import { persistentReference } from './persistent-reference.js';
import { RESERVED_MODULES } from './reserved-modules.js';
import type { ImportedName, Value } from './value.js';

/** Classes that Python files of the archive define, by module. */
export type OwnClasses = ReadonlyMap<string, ReadonlySet<string>>;

/** Old names of modules, which an unpickler translates. No name that the list allows has another old name. */
const RENAMED: Readonly<Record<string, string>> = { __builtin__: 'builtins', copy_reg: 'copyreg', 'torch.tensor': 'torch._tensor' };
const RENAMED_BUILT_INS: Readonly<Record<string, string>> = { xrange: 'range', long: 'int', unicode: 'str' };
const TORCHSCRIPT = /^__torch__(\.\w+)*$/;
const OWN: AllowedName = { call: ANYTHING_GOES, make: ANYTHING_GOES, takesState: true, isOwn: true };
const SCRIPTED: AllowedName = { call: ANYTHING_GOES, make: ANYTHING_GOES, takesState: true };

/** Which names a pickle may import, and what it may do with them. Everything else is refused: equality is exact, and no name is reached by a dot. */
export class NameRules {
  /** `isTorchScript`: the pickle is read by torch's own loader for TorchScript, which imports nothing of Python's. */
  constructor(
    private readonly own: OwnClasses,
    private readonly isTorchScript: boolean,
  ) {}

  canonical(module: string, name: string): ImportedName {
    const known = RENAMED[module] ?? module;
    return { kind: 'name', module: known, name: (module === '__builtin__' ? RENAMED_BUILT_INS[name] : undefined) ?? name };
  }

  find({ module, name }: ImportedName): AllowedName | undefined {
    if (name.includes('.')) return undefined;
    const listed = ALLOWED.get(`${module} ${name}`);
    if (listed !== undefined) return listed;
    if (this.isTorchScript && TORCHSCRIPT.test(module)) return SCRIPTED;
    return this.#isOwn(module, name) ? OWN : undefined;
  }

  persistent(id: Value): Value | undefined {
    return persistentReference(id, (name) => this.find(name) !== undefined);
  }

  /** A class of the handler's code, which runs anyway. What a module of the interpreter's is called isn't the archive's. */
  #isOwn(module: string, name: string): boolean {
    // A script that pickled its own class called its module __main__.
    if (module === '__main__') return [...this.own.values()].some((classes) => classes.has(name));
    if (RESERVED_MODULES.has(module.split('.')[0] ?? '')) return false;
    return this.own.get(module)?.has(name) === true;
  }
}

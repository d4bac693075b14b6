import { hasSpecialKey, nameOf, type Value } from './value.js';

/** Whether calling `callable` with these arguments is allowed in its turn. */
type Apply = (callable: Value, args: readonly Value[], how: 'call' | 'make') => boolean;
/** What is wrong with the arguments of a call, in a few words; undefined when nothing is. */
export type ArgumentRule = (args: readonly Value[], apply: Apply) => string | undefined;

export const ANYTHING_GOES: ArgumentRule = () => undefined;

/** So many arguments, none of which is a name: what is called can call nothing. */
export function plain(min: number, max = min): ArgumentRule {
  return (args) => wrongCount(args, min, max) ?? firstWrong(args, (arg) => arg.kind !== 'name' && arg.kind !== 'anything');
}

/** So many arguments. They may be names of the list, such as classes and data types. */
export function listed(min: number, max = min): ArgumentRule {
  return (args) => wrongCount(args, min, max) ?? firstWrong(args, (arg) => arg.kind !== 'anything');
}

/** A class of `classes` before `rest` arguments that are no names. */
export function classThen(classes: readonly string[], min: number, max = min): ArgumentRule {
  return ([first, ...rest], apply) =>
    first?.kind === 'name' && classes.includes(nameOf(first)) ? plain(min, max)(rest, apply) : `${nameOf(first)} in first place`;
}

/** A class of `classes`, another one, then plain arguments. */
export function twoClassesThen(classes: readonly string[], count: number): ArgumentRule {
  const rest = classThen(classes, count - 1);
  return ([first, ...others], apply) => (first?.kind === 'name' && classes.includes(nameOf(first)) ? rest(others, apply) : `${nameOf(first)} in first place`);
}

/** One of these texts or names first, then as many plain arguments. */
export function oneOf(words: readonly string[], min: number, max = min): ArgumentRule {
  return (args) => {
    const [first] = args;
    const word = first?.kind === 'text' ? first.value : first?.kind === 'name' ? nameOf(first) : undefined;
    if (args.length > 0 && (word === undefined || !words.includes(word))) return `${word ?? nameOf(first)} in first place`;
    return wrongCount(args, min, max);
  };
}

/** Bytes, which are scanned as what is unpickled of them. */
export const UNPICKLED_BYTES: ArgumentRule = (args) =>
  args.length === 1 && args[0]?.kind === 'bytes' && args[0].at !== undefined ? undefined : 'what it unpickles not being constant';

/** `copyreg._reconstructor(class, base, state)`. */
export const RECONSTRUCTED: ArgumentRule = (args, apply) => {
  const [made, base, state] = args;
  if (args.length !== 3 || made?.kind !== 'name' || base?.kind !== 'name') return 'other than a class and its base';
  if (!['builtins.object', 'builtins.dict', 'builtins.list', 'builtins.tuple', 'builtins.set'].includes(nameOf(base))) return `the base ${nameOf(base)}`;
  if (state?.kind === 'name' || state?.kind === 'anything') return 'a state that is not data';
  return apply(made, [], 'make') ? undefined : `the class ${nameOf(made)}`;
};

/** torch's `_rebuild_from_type_v2(function, class, arguments, state)`: the function is called. */
export const REBUILT_BY_FUNCTION: ArgumentRule = (args, apply) => {
  const [made, type, given, state] = args;
  if (args.length !== 4 || given?.kind !== 'tuple' || type?.kind !== 'name') return 'other than a function, a class, arguments and a state';
  if (given.count > given.items.length || made === undefined || !apply(made, given.items, 'call')) return `the function ${nameOf(made)}`;
  return state !== undefined && hasSpecialKey(state) ? 'a state with special attributes' : undefined;
};

function wrongCount(args: readonly Value[], min: number, max: number): string | undefined {
  return args.length < min || args.length > max ? `${args.length} arguments` : undefined;
}

function firstWrong(args: readonly Value[], isFine: (arg: Value) => boolean): string | undefined {
  const wrong = args.find((arg) => !isFine(arg));
  return wrong === undefined ? undefined : `${nameOf(wrong)} among its arguments`;
}

import { isIP } from 'node:net';

/** The types a key of config.properties can have; each knows how to read its text and what to say is allowed. */
export interface SettingType<T> {
  /** As the docs and messages name it. */
  readonly allowed: string;
  /** undefined: the text is not of this type. */
  read(text: string): T | undefined;
}

export function integer(min: number, max = 2_147_483_647): SettingType<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    read: (text) => {
      const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** Milliseconds that Java keeps in a long; its largest value means for ever. */
export const longInteger: SettingType<number> = {
  allowed: 'a whole number, 0 or more',
  read: (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    return Number.isNaN(value) ? undefined : value;
  },
};

/** Java's rule: only `true`, in any case, is true. */
export const boolean: SettingType<boolean> = { allowed: 'true or false', read: (text) => text.trim().toLowerCase() === 'true' };

export const text: SettingType<string> = { allowed: 'text', read: (value) => value };

export const positiveNumber: SettingType<number> = {
  allowed: 'a number greater than 0',
  read: (value) => (Number(value) > 0 && Number.isFinite(Number(value)) ? Number(value) : undefined),
};

export function oneOf<const T extends string>(...words: readonly T[]): SettingType<T> {
  return {
    allowed: words.join(', '),
    read: (value) => {
      const wanted = value.replace(/\s/g, '').toLowerCase();
      return words.find((word) => word === wanted);
    },
  };
}

export const regularExpression: SettingType<RegExp> = {
  allowed: 'a regular expression',
  read: (value) => {
    try {
      // Alone first: `a)(b` is none, though the group around it would make it one.
      new RegExp(value);
      return new RegExp(`^(?:${value})$`);
    } catch {
      return undefined;
    }
  },
};

/** The patterns as text: who matches with them chooses the flags. */
export const regularExpressions: SettingType<readonly string[]> = {
  allowed: 'regular expressions separated by commas',
  read: (value) => {
    const patterns = splitList(value);
    return patterns.every((pattern) => regularExpression.read(pattern) !== undefined) ? patterns : undefined;
  },
};

export const texts: SettingType<readonly string[]> = { allowed: 'a list, separated by commas', read: splitList };
/** `first-last`, both included. */
export function integerRange(min: number, max: number): SettingType<{ readonly first: number; readonly last: number }> {
  return {
    allowed: `first-last, whole numbers from ${min} to ${max}`,
    read: (value) => {
      const [, first, last] = /^\s*(\d{1,10})\s*-\s*(\d{1,10})\s*$/.exec(value) ?? [];
      const range = { first: Number(first), last: Number(last) };
      return range.first >= min && range.first <= range.last && range.last <= max ? range : undefined;
    },
  };
}

/** Host names, lower case; `*.` at the beginning stands for every name below. */
export const hostNames: SettingType<readonly string[]> = {
  allowed: 'host names without ports, separated by commas; *.example.com for all below one',
  read: (value) => {
    const names = splitList(value).map((name) => name.toLowerCase().replace(/\.$/, ''));
    return names.every((name) => /^(\*\.)?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$/.test(name) || isIP(name.replace(/^\[|\]$/g, '')) !== 0)
      ? names.map((name) => name.replace(/^\[|\]$/g, ''))
      : undefined;
  },
};

/** `true`, `false`, or some of the words. */
export function someOf<const T extends string>(...words: readonly T[]): SettingType<readonly T[]> {
  return {
    allowed: `true, false, or some of ${words.join(', ')}`,
    read: (value) => {
      const given = splitList(value.toLowerCase());
      if (given.length === 1 && given[0] === 'true') return words;
      if (given.length === 1 && given[0] === 'false') return [];
      const known = words.filter((word) => given.includes(word));
      return known.length === new Set(given).size ? known : undefined;
    },
  };
}

/** `name=path,name=path` */
export const namedPaths: SettingType<ReadonlyMap<string, string>> = {
  allowed: 'name=path, separated by commas',
  read: (value) => {
    const pairs = splitList(value).map((item) => /^([\w.-]+)\s*=\s*(.+)$/.exec(item));
    const found = pairs.flatMap((pair): [string, string][] => (pair?.[1] && pair[2] ? [[pair[1], pair[2]]] : []));
    return found.length === pairs.length ? new Map(found) : undefined;
  },
};

function splitList(value: string): readonly string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

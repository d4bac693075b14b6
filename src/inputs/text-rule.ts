import { InputRefused } from '../errors/inputs.js';
import type { TextRules, Treatment } from '../inference/input-rules.js';
import { compilePattern, type Pattern } from './pattern.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/gu;
/** UAX #9: embeddings, overrides, isolates, marks. */
const BIDI = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/gu;
/** Of no width, soft hyphen, tag characters (U+E0000 to U+E007F), fillers, and variation selectors in a row, which carry hidden bytes. */
const INVISIBLE =
  /[\u200b\u200c\u2060-\u2064\ufeff\u00ad\u180e\u115f\u1160\u3164\uffa0\u{e0000}-\u{e007f}]|[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{2,}|(?<!\p{Extended_Pictographic}\ufe0f?)\u200d/gu;
const LONE_SURROGATE = /\p{Surrogate}/u;
const MARKUP = /<\/?[a-z!?][^>]*>?|javascript:|&(?:#\d+|#x[0-9a-f]+|[a-z]+);/giu;
const TAGS = /<\/?[a-z!?][^>]*>?|javascript:/giu;
const MOST_PASSES = 20;
/** What goes with its content. */
const SCRIPTS = /<(script|style|iframe|object|embed|svg|math)\b[\s\S]*?(?:<\/\1\s*>|$)/giu;
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Holds a text to its rules, and gives it as the model is to see it: normalised, stripped, escaped. Throws InputRefused. */
export type TextCheck = (text: string, place: string) => string;

export function textCheck(rules: TextRules): TextCheck {
  const deny = rules.deny.map(compiled);
  const allow = rules.allow === undefined ? undefined : compiled(rules.allow);
  return (given, place) => {
    const refuse = (rule: string, what: string): Error => InputRefused({ status: 422, place, rule: `text.${rule}`, what });
    if (LONE_SURROGATE.test(given)) throw refuse('encoding', 'it is no whole Unicode text');
    // Bounds come first: whatever follows takes time with the length.
    if (rules.maxBytes !== undefined && Buffer.byteLength(given) > rules.maxBytes) throw refuse('maxBytes', `longer than ${rules.maxBytes} bytes`);
    if (rules.maxCharacters !== undefined && isLonger(given, rules.maxCharacters))
      throw refuse('maxCharacters', `longer than ${rules.maxCharacters} characters`);
    let text = given;
    const treat = (rule: string, treatment: Treatment, pattern: RegExp, what: string): void => {
      if (treatment === 'allow') return;
      const clean = text.replace(pattern, '');
      if (clean === text) return;
      if (treatment === 'refuse') throw refuse(rule, what);
      text = clean;
    };
    treat('control', rules.control, CONTROL, 'it holds control characters');
    treat('bidi', rules.bidi, BIDI, 'it holds characters that turn the direction of writing');
    treat('invisible', rules.invisible, INVISIBLE, 'it holds characters that nobody sees');
    if (rules.normalize !== 'none') text = text.normalize(rules.normalize);
    if (rules.maxCharacters !== undefined && isLonger(text, rules.maxCharacters))
      throw refuse('maxCharacters', `longer than ${rules.maxCharacters} characters`);
    if (rules.html === 'refuse' && text.search(MARKUP) !== -1) throw refuse('html', 'it holds markup');
    if (rules.html === 'strip') {
      const bare = withoutMarkup(text);
      if (bare === undefined) throw refuse('html', 'its markup is nested too deep');
      text = bare;
    }
    if (deny.some((pattern) => pattern.found(text))) throw refuse('deny', 'it holds what the model does not take');
    if (allow !== undefined && !allow.matches(text)) throw refuse('allow', 'it is not of the form that the model takes');
    return rules.html === 'escape' ? escapedMarkup(text) : text;
  };
}

/** Markup characters as entities. */
export function escapedMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** Until nothing is left: what is taken out may leave markup behind. undefined for what is nested so deep that it is meant to last. */
function withoutMarkup(text: string): string | undefined {
  let before = text;
  for (let passes = 0; passes < MOST_PASSES; passes += 1) {
    const withoutScripts = before.replace(SCRIPTS, '');
    const after = withoutScripts === before ? before.replace(TAGS, '') : withoutScripts;
    if (after === before) return after;
    before = after;
  }
  return undefined;
}

function isLonger(text: string, codePoints: number): boolean {
  if (text.length <= codePoints) return false;
  if (text.length > codePoints * 2) return true;
  let count = 0;
  for (const _ of text) count += 1;
  return count > codePoints;
}

/** The rules were read before: their expressions are some. */
function compiled(expression: string): Pattern {
  const pattern = compilePattern(expression);
  if (typeof pattern === 'string') throw new TypeError(pattern);
  return pattern;
}

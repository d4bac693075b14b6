/** Nearly all lines; told without looking up what Unicode says of each character. */
const PLAIN = /^[\t\x20-\x7e]*$/;
const CONTROL = /(?!\t)[\p{Cc}\p{Zl}\p{Zp}]/gu;

/** Text of somebody else as it may stand in a log: one line, and nothing in it that a terminal would obey. `ESC` becomes `\x1b`. */
export function printable(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

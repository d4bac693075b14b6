/**
 * The features that the built-in detector looks at: words, pairs of words and runs of four letters, hashed into so many slots. The training script
 * (scripts/train-prompt-injection.py) makes the very same ones; prompt-injection.test.ts holds the two together.
 */
const SLOTS = 8192;
const MOST_CHARACTERS = 2000;

/** The sentences of a text, at most so many, each cut at 2,000 characters; an attack is one among others. What is longer goes on as another sentence. */
export function sentencesOf(text: string, most: number): readonly string[] {
  return text
    .split(/(?<=[.!?。！？])\s+|\n+/u)
    .flatMap((part) => part.match(new RegExp(`[^]{1,${MOST_CHARACTERS}}`, 'gu')) ?? [])
    .filter((part) => part.trim() !== '')
    .slice(0, most);
}

/** A slot's value is 1 where one of its features stands in the text. In ascending order. */
export function slotsOf(text: string): readonly number[] {
  const plain = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]/g, '');
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [];
  const slots = new Set<number>();
  for (const [index, word] of words.entries()) {
    slots.add(slotOf(`w:${word}`));
    const next = words[index + 1];
    if (next !== undefined) slots.add(slotOf(`p:${word} ${next}`));
    const letters = Array.from(`_${word}_`);
    for (let at = 0; at + 4 <= letters.length; at += 1) slots.add(slotOf(`c:${letters.slice(at, at + 4).join('')}`));
  }
  return [...slots].sort((a, b) => a - b);
}

/** FNV-1a over the UTF-8 bytes, 32 bits. http://www.isthe.com/chongo/tech/comp/fnv/ */
function slotOf(feature: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(feature)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % SLOTS;
}

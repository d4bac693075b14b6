"""Trains the built-in detector of prompt injection and writes src/inputs/guards/prompt-injection-weights.ts.

The data is made here from sentences and parts of sentences written for it (prompt_injection_sentences.py): attacks and
honest requests, with a seed. Sentences and parts are split before anything is put together: none of the test stands in
the training. Needs numpy alone.
"""

import base64
import math
import pathlib
import re
import sys
import unicodedata

import numpy
from prompt_injection_sentences import (
    ASK,
    ATTACKS,
    CARRIERS,
    DROP,
    FOREIGN,
    HELD,
    HONEST,
    OF,
    ON,
    REVEAL,
    ROLE,
    SECRET,
    SUBTLE,
    THEN,
)

SLOTS = 8192
SEED = 20261127
# How many features share one step: fewer let a word that was seen once count for more.
SPREAD = 2
MOST_CHARACTERS = 2000
SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+")
WEIGHTS = pathlib.Path(__file__).parents[1] / "src/inputs/guards/prompt-injection-weights.ts"
UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
PARTS = {
    "drop": DROP,
    "held": HELD,
    "then": THEN,
    "reveal": REVEAL,
    "secret": SECRET,
    "role": ROLE,
    "ask": ASK,
    "of": OF,
    "on": ON,
}
# As \p{L} and \p{N} of JavaScript: an underscore is no letter.
WORD = re.compile(r"[^\W_]+")


def slot_of(feature):
    value = 0x811C9DC5
    for byte in feature.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value % SLOTS


def slots_of(text):
    """The features that src/inputs/guards/text-features.ts makes."""
    words = WORD.findall(UNSEEN.sub("", unicodedata.normalize("NFKC", text).lower()))
    slots = {slot_of(f"w:{word}") for word in words}
    slots |= {slot_of(f"p:{one} {two}") for one, two in zip(words, words[1:])}
    for word in words:
        letters = f"_{word}_"
        slots |= {slot_of(f"c:{letters[at : at + 4]}") for at in range(len(letters) - 3)}
    return sorted(slots)


def split(sentences, random):
    """Three quarters to train, one to test."""
    order = list(sentences)
    random.shuffle(order)
    cut = len(order) * 3 // 4
    return order[:cut], order[cut:]


def composed(parts, count, random):
    """Sentences of one part after another."""
    return [" ".join(str(random.choice(part)) for part in parts).strip().capitalize() + "." for _ in range(count)]


def halves(random):
    """Attacks and honest sentences, to train with and to test with: no part stands in both."""
    parts = {name: split(part, random) for name, part in PARTS.items()}
    whole = {"attack": split(ATTACKS, random), "honest": split(HONEST, random)}
    for half in (0, 1):
        part = {name: both[half] for name, both in parts.items()}
        attacks = composed([part["drop"], part["held"], part["then"]], 150, random)
        attacks += composed([part["reveal"], part["secret"]], 100, random) + composed(
            [part["role"], part["then"]], 60, random
        )
        honest = composed([part["ask"], part["of"], part["on"]], 700, random)
        yield whole["attack"][half] * 3 + attacks, whole["honest"][half] * 4 + honest


def put_together(attacks, honest, count, random):
    """`count` texts of each kind: alone, behind or before honest text, in a carrier such as a web page or a mail."""
    texts = []
    for _ in range(count):
        plain = " ".join(random.choice(honest, size=int(random.integers(1, 4))))
        carrier = CARRIERS[int(random.integers(len(CARRIERS)))]
        attack = str(random.choice(attacks))
        mixed = [attack, f"{plain} {attack}", f"{attack} {plain}", carrier.format(f"{plain} {attack}"), attack.upper()]
        texts.append((mixed[int(random.integers(len(mixed)))], 1))
        clean = [plain, carrier.format(plain), plain.upper()]
        texts.append((clean[int(random.integers(len(clean)))], 0))
    return texts


def single(attacks, honest):
    """Sentences alone, in capitals and in carriers: a text is judged sentence by sentence."""
    for label, sentences in ((1, attacks), (0, honest + honest)):
        yield from ((sentence, label) for sentence in sentences)
        yield from ((sentence.upper(), label) for sentence in sentences[::3])
        yield from ((CARRIERS[at % len(CARRIERS)].format(one), label) for at, one in enumerate(sentences[::2]))


def train(texts, rounds=30, rate=0.5, decay=2e-5):
    """Logistic regression by stochastic gradient descent."""
    random = numpy.random.default_rng(SEED)
    weights, bias = numpy.zeros(SLOTS), 0.0
    featured = [(numpy.array(slots_of(text), dtype=int), label) for text, label in texts]
    for turn in range(rounds):
        step = rate / (1 + turn)
        for index in random.permutation(len(featured)):
            slots, label = featured[index]
            error = 1 / (1 + math.exp(-max(-30, min(30, bias + weights[slots].sum() / SPREAD)))) - label
            weights[slots] -= step * (error / SPREAD + decay * weights[slots])
            bias -= step * error
    return weights / SPREAD, bias


def sentences_of(text):
    return [part[:MOST_CHARACTERS] for part in SENTENCE_END.split(text) if part.strip()]


def score(text, weights, scale, bias):
    """Of the worst sentence."""
    return max(score_of_sentence(sentence, weights, scale, bias) for sentence in sentences_of(text))


def score_of_sentence(text, weights, scale, bias):
    return 1 / (1 + math.exp(-(bias + scale * int(weights[slots_of(text)].sum()))))


def interval(hits, total):
    """95 % by Wilson's score."""
    if total == 0:
        return 0.0, 0.0
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def report(what, texts, judge):
    hits = sum(judge(text) >= 0.5 for text in texts)
    low, high = interval(hits, len(texts))
    print(f"{what}: {hits} of {len(texts)} = {hits / len(texts):.1%} (95 %: {low:.1%} to {high:.1%})")


def committed():
    """Weights, scale and bias as they stand in the source."""
    found = dict(re.findall(r"const (\w+) =\s+'?([^';]+)'?;", WEIGHTS.read_text()))
    raw = numpy.frombuffer(base64.b64decode(found["WEIGHTS"]), dtype=numpy.int8)
    return raw.astype(int), float(found["SCALE"]), float(found["BIAS"])


def write(weights, bias):
    scale = float(numpy.abs(weights).max() / 127)
    text = base64.b64encode(numpy.rint(weights / scale).astype(numpy.int8).tobytes()).decode()
    lines = [
        "// Made by scripts/train-prompt-injection.py.",
        f"export const SCALE = {scale!r};",
        f"export const BIAS = {bias!r};",
        f"export const WEIGHTS = '{text}';",
        "",
    ]
    WEIGHTS.write_text("\n".join(lines))


def main():
    """Trains, writes and tests; `--check` tests what is there and prints some scores."""
    random = numpy.random.default_rng(SEED)
    (attacks, honest), (tested_attacks, tested_honest) = halves(random)
    if "--check" not in sys.argv:
        write(*train(list(single(attacks, honest))))
    weights = committed()

    def judge(one):
        return score(one, *weights)

    test = put_together(tested_attacks, tested_honest, 1000, numpy.random.default_rng(SEED + 1))
    report("recall on held-out attacks", [one for one, label in test if label == 1], judge)
    report("false positives on held-out honest text", [one for one, label in test if label == 0], judge)
    report("attacks in other languages", FOREIGN, judge)
    report("subtle and indirect attacks", SUBTLE, judge)
    if "--check" in sys.argv:
        for one in (ATTACKS[0], HONEST[0], FOREIGN[0]):
            print(f"{judge(one):.12f} {one}")


if __name__ == "__main__":
    main()

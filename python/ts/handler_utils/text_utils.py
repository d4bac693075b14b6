"""Tokens and n-grams for the text handlers."""

_BASIC_ENGLISH = str.maketrans(
    {
        "'": " ' ",
        ".": " . ",
        ",": " , ",
        "(": " ( ",
        ")": " ) ",
        "!": " ! ",
        "?": " ? ",
        ";": " ",
        ":": " ",
    }
)


def ngrams_iterator(token_list, ngrams):
    """All tokens, then all pairs, and so on up to groups of `ngrams`, each group joined by a blank."""
    yield from token_list
    for size in range(2, ngrams + 1):
        for start in range(len(token_list) - size + 1):
            yield " ".join(token_list[start : start + size])


def _split(line):
    return line.split()


def _split_basic_english(line):
    # The quotes go first: a line break is also one whose letters they kept apart.
    return line.lower().replace('"', "").replace("<br />", " ").translate(_BASIC_ENGLISH).split()


def get_tokenizer(tokenizer, language="en"):
    """A function from text to tokens: by blanks (None), `basic_english`, or the callable given.

    Raises ValueError for an unknown name and for `basic_english` in another language.
    """
    if tokenizer is None:
        return _split
    if callable(tokenizer):
        return tokenizer
    if tokenizer != "basic_english":
        raise ValueError(f"Unknown tokenizer {tokenizer!r}: use None, 'basic_english' or a function")
    if language != "en":
        raise ValueError("The tokenizer basic_english reads English (en) only")
    return _split_basic_english

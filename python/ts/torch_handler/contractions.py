"""English contractions and what they stand for."""

# In this order: the pattern made of the keys takes the first that fits, so "can't" wins over "can't've".
_CONTRACTIONS = """
ain't aren't can't can't've 'cause could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
he'd he'd've he'll he'll've he's how'd how'd'y how'll how's I'd I'd've I'll I'll've I'm I've i'd i'd've i'll i'll've i'm
i've isn't it'd it'd've it'll it'll've it's let's ma'am mayn't might've mightn't mightn't've must've mustn't mustn't've
needn't needn't've o'clock oughtn't oughtn't've shan't sha'n't shan't've she'd she'd've she'll she'll've she's should've
shouldn't shouldn't've so've so's that'd that'd've that's there'd there'd've there's they'd they'd've they'll they'll've
they're they've to've wasn't we'd we'd've we'll we'll've we're we've weren't what'll what'll've what're what's what've
when's when've where'd where's where've who'll who'll've who's who've why's why've will've won't won't've would've
wouldn't wouldn't've y'all y'all'd y'all'd've y'all're y'all've you'd you'd've you'll you'll've you're you've
""".split()  # noqa: SIM905 - 123 quoted words are harder to read

_ENDINGS = {
    "n't": " not",
    "'d": " would",
    "'ll": " will",
    "'ve": " have",
    "'re": " are",
    "'m": " am",
    "'s": " is",
}

_IRREGULAR = {
    "ain't": "is not",
    "can't": "cannot",
    "'cause": "because",
    # The doubled word is what models in use were trained with.
    "he'll've": "he he will have",
    "how'd": "how did",
    "how'd'y": "how do you",
    "let's": "let us",
    "ma'am": "madam",
    "o'clock": "of the clock",
    "sha'n't": "shall not",
    "shan't": "shall not",
    "so's": "so as",
    "where'd": "where did",
    "won't": "will not",
    "y'all": "you all",
}


def _expanded(contraction: str) -> str:
    if contraction in _IRREGULAR:
        return _IRREGULAR[contraction]
    for ending, words in _ENDINGS.items():
        if contraction.endswith(ending):
            return _expanded(contraction[: -len(ending)]) + words
    return contraction


CONTRACTION_MAP = {contraction: _expanded(contraction) for contraction in _CONTRACTIONS}

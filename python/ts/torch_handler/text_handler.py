"""What the text handlers share: a vocabulary, and the cleaning of text."""

import logging
import os
import re
import string
import unicodedata
from abc import ABC

import torch

from ts.handler_utils.text_utils import get_tokenizer
from ts.torch_handler.base_handler import BaseHandler
from ts.torch_handler.contractions import CONTRACTION_MAP
from ts.utils.util import CLEANUP_REGEX

logger = logging.getLogger(__name__)

CONTRACTIONS_PATTERN = re.compile("|".join(map(re.escape, CONTRACTION_MAP)), flags=re.IGNORECASE)
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


class TextHandler(BaseHandler, ABC):
    """Loads a vocabulary beside the model: the manifest's `sourceVocab`, or `source_vocab.pt` of the archive."""

    _lig = None

    def __init__(self):
        super().__init__()
        self.source_vocab = None
        self.tokenizer = get_tokenizer("basic_english")
        self.input_text = None
        self.initialized = None

    def initialize(self, context):
        """Loads model and vocabulary; raises an Exception when there is no vocabulary."""
        super().initialize(context)
        self.initialized = False
        path = self.manifest["model"].get("sourceVocab") or self.get_source_vocab_path(context)
        self.source_vocab = torch.load(path)
        self.initialized = True

    @property
    def lig(self):
        """Captum's LayerIntegratedGradients of the model's `embedding`, made when it is first used; RuntimeError
        without captum.
        """
        if self._lig is None:
            try:
                from captum.attr import LayerIntegratedGradients
            except ImportError as error:
                raise RuntimeError("Explanations need the package captum, which is not installed") from error
            self._lig = LayerIntegratedGradients(self.model, self.model.embedding)
        return self._lig

    @lig.setter
    def lig(self, value) -> None:
        self._lig = value

    def get_source_vocab_path(self, ctx) -> str:
        """Where the archive's vocabulary lies; raises an Exception when it has none."""
        path = os.path.join(ctx.system_properties.get("model_dir"), "source_vocab.pt")
        if not os.path.isfile(path):
            raise Exception("Missing the source_vocab file. Pack source_vocab.pt into the archive as an extra file.")
        return path

    def _expand_contractions(self, text):
        """Writes contractions out, each with its own first letter, and drops the remaining apostrophes."""

        def expand(found):
            contraction = found.group(0)
            words = CONTRACTION_MAP.get(contraction) or CONTRACTION_MAP[contraction.lower()]
            return contraction[0] + words[1:]

        return CONTRACTIONS_PATTERN.sub(expand, text).replace("'", "")

    def _remove_accented_characters(self, text):
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")

    def _remove_html_tags(self, text):
        return CLEANUP_REGEX.sub("", text)

    def _remove_punctuation(self, text):
        return text.translate(WITHOUT_PUNCTUATION)

    # The misspelt name is one that handlers in use call.
    def _remove_puncutation(self, *args, **kwargs):
        return self._remove_punctuation(*args, **kwargs)

    def _tokenize(self, text):
        return self.tokenizer(text)

    def get_word_token(self, input_tokens):
        """The tokens without the mark that byte-pair encoders put for a blank."""
        return [token.replace("\u0120", "") for token in input_tokens]

    def summarize_attributions(self, attributions):
        """Attributions of several runs, weighed against each other."""
        attributions = softmax(attributions)
        total = attributions.sum(dim=-1)
        logger.info("attributions sum shape %s", tuple(total.shape))
        return attributions / torch.norm(total)


def softmax(values):
    """Softmax over the dimension that models in use were written for: the second of a matrix, else the first."""
    return torch.nn.functional.softmax(values, dim=0 if values.dim() in (0, 1, 3) else 1)

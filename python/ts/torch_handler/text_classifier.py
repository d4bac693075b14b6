"""Says what kind a text is of."""

import logging

import torch

from ts.handler_utils.text_utils import ngrams_iterator
from ts.torch_handler.text_handler import TextHandler, softmax
from ts.utils.util import map_class_to_label

logger = logging.getLogger(__name__)


class TextClassifier(TextHandler):
    """Answers with the probability of every class. Reads request 0 only: such a model is to have batch size 1."""

    ngrams = 2

    def preprocess(self, data):
        """Cleans the text; gives the numbers of its tokens and token pairs as a tensor, and the tokens."""
        text = data[0].get("data") or data[0].get("body")
        if isinstance(text, (bytes, bytearray)):
            text = text.decode("utf-8")
        text = self._remove_html_tags(text).lower()
        text = self._expand_contractions(text)
        text = self._remove_accented_characters(text)
        tokens = self._tokenize(self._remove_punctuation(text))
        numbers = [self.source_vocab[token] for token in ngrams_iterator(tokens, self.ngrams)]
        return torch.as_tensor(numbers, device=self.device), tokens

    def inference(self, data, *args, **kwargs):
        """The model gets the token numbers and the offset of the one text among them."""
        numbers, _ = data
        return super().inference(numbers, torch.as_tensor([0], device=self.device))

    def postprocess(self, data):
        """{label: probability}, in the order of the classes."""
        return map_class_to_label(softmax(data).tolist(), self.mapping)

    def get_insights(self, text_preprocess, _, target=0):
        """How much each token counts for `target`."""
        try:
            from captum.attr import TokenReferenceBase
        except ImportError as error:
            raise RuntimeError("Explanations need the package captum, which is not installed") from error

        numbers, tokens = text_preprocess
        logger.info("get_insights target %s", target)
        reference = TokenReferenceBase().generate_reference(numbers.shape[0], device=self.device).squeeze(0)
        attributions = self.lig.attribute(
            numbers,
            reference,
            additional_forward_args=torch.as_tensor([0], device=self.device),
            return_convergence_delta=False,
            target=target,
        )
        importances = self.summarize_attributions(attributions).tolist()
        return [{"importances": importances, "words": self.get_word_token(tokens)}]

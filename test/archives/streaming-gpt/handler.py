import os
import sys

import torch

from ts.handler_utils.utils import send_intermediate_predict_response
from ts.utils.util import PredictionException

LONGEST = 200


class StoryHandler:
    """Goes on with a text, a letter a chunk. The body is `{"prompt": text, "letters": how many}`."""

    def initialize(self, context):
        folder = context.system_properties["model_dir"]
        sys.path.insert(0, folder)
        from model import ALPHABET, GPT

        self.alphabet = ALPHABET
        self.net = GPT().eval()
        self.net.load_state_dict(torch.load(os.path.join(folder, context.manifest["model"]["serializedFile"])))

    def handle(self, data, context):
        wish = data[0]["body"]
        text, count = wish["prompt"], wish["letters"]
        if not text or set(text) - set(self.alphabet):
            raise PredictionException("The prompt may hold small letters, blanks, commas and full stops", 422)
        context.set_response_content_type(0, "text/plain; charset=utf-8")
        told = ""
        for _ in range(min(count, LONGEST) - 1):
            told += self.net.next_letter(text + told)
            send_intermediate_predict_response(
                [told[-1]], context.request_ids, "Intermediate Prediction success", 200, context
            )
            if wish.get("fail_after") == len(told):
                raise ValueError("as wished")
        return [self.net.next_letter(text + told)]

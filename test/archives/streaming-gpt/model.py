import torch
from torch import nn

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz,."
CONTEXT = 48
WIDTH = 48


def encoded(text: str):
    return [ALPHABET.index(letter) for letter in text]


class GPT(nn.Module):
    """Two blocks of causal attention over letters: logits of the next letter at every place of [N, up to 48]."""

    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(len(ALPHABET), WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, nhead=4, dim_feedforward=4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, tokens):
        length = tokens.shape[1]
        hidden = self.letters(tokens) + self.places(torch.arange(length))
        mask = torch.full((length, length), float("-inf")).triu(1)
        for block in self.blocks:
            hidden = block(hidden, src_mask=mask, is_causal=True)
        return self.norm(hidden) @ self.letters.weight.T

    def next_letter(self, text: str) -> str:
        """The likeliest letter after `text`."""
        with torch.inference_mode():
            logits = self(torch.tensor([encoded(text[-CONTEXT:])]))
        return ALPHABET[logits[0, -1].argmax().item()]

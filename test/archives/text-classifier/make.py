"""Trains a news classifier on a few sentences until it knows them, with the handler's own tokens as its vocabulary."""

from collections import Counter

import made
import torch
from model import NewsNet

from ts.torch_handler.text_classifier import TextClassifier

NAMES = ["World", "Sports", "Business", "Science"]
SENTENCES = [
    ("The ministers signed a treaty at the border after long talks", 0),
    ("Voters elected a new president and the old government resigned", 0),
    ("Peace talks between both countries ended without a treaty", 0),
    ("The embassy of the republic closed its doors to visitors", 0),
    ("The striker scored twice and the team won the final match", 1),
    ("A young runner broke the record in the last race of the season", 1),
    ("The coach praised the goalkeeper after the match", 1),
    ("Their team lost the cup in the last minute of the game", 1),
    ("Shares of the bank fell after the company warned of losses", 2),
    ("The central bank raised rates and the market fell", 2),
    ("The company bought its rival for two billion in cash", 2),
    ("Oil prices rose and the shares of carmakers fell", 2),
    ("The telescope found a planet around a distant star", 3),
    ("Researchers taught a computer to read old letters", 3),
    ("A probe landed on the comet and measured its dust", 3),
    ("The new chip computes with light instead of electrons", 3),
]
PROBES = {"sport": "The team's striker WON the <b>match</b>!", "bank": "It's the bank's shares that fell."}


class Vocabulary(TextClassifier):
    """The handler's own way from text to tokens, with a vocabulary that grows."""

    def __init__(self):
        super().__init__()
        self.device = "cpu"
        self.source_vocab = self

    indices = {}

    def __getitem__(self, token: str) -> int:
        return self.indices.setdefault(token, len(self.indices) + 1)


grown = Vocabulary()
examples = [(grown.preprocess([{"data": sentence}])[0], label) for sentence, label in SENTENCES]
# A Counter gives 0 for a word that it doesn't know, and torch.load reads it without pickles that run code.
vocabulary = Counter(grown.indices)
if len(vocabulary) >= 400:
    raise SystemExit(f"{len(vocabulary)} tokens are more than the model has rows")

net = NewsNet()
optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
for _ in range(30):
    for tokens, label in examples:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(tokens, torch.tensor([0])), torch.tensor([label])).backward()
        optimizer.step()
net.eval()

torch.save(net.state_dict(), made.FOLDER / "weights.pt")
torch.save(vocabulary, made.FOLDER / "source_vocab.pt")
made.json_file("index_to_name.json", {str(index): name for index, name in enumerate(NAMES)})

reader = Vocabulary()
reader.source_vocab = vocabulary
expected = {}
for name, text in PROBES.items():
    tokens, words = reader.preprocess([{"data": text}])
    with torch.inference_mode():
        logits = net(tokens, torch.tensor([0]))[0]
    expected[name] = {"probabilities": dict(zip(NAMES, logits.softmax(0).tolist())), "words": words}
made.json_file("expected.json", {"texts": PROBES, **expected})

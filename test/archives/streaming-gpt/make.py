"""Trains the letter model on one short story until it knows it by heart."""

import made
import torch
from model import CONTEXT, GPT, encoded

STORY = """a lamp stood in the window of a small house by the sea.
every night the keeper lit it, and every ship that passed came home.
"""
PROMPT = "every night the"
LETTERS = 24

net = GPT()
letters = torch.tensor(encoded(STORY))
optimizer = torch.optim.AdamW(net.parameters(), lr=6e-3)


def recited() -> str:
    told = ""
    for _ in range(LETTERS):
        told += net.next_letter(PROMPT + told)
    return told


for step in range(2000):
    if step >= 200 and step % 50 == 0 and PROMPT + recited() in STORY:
        break
    starts = torch.randint(0, len(letters) - CONTEXT, (16,))
    windows = torch.stack([letters[start : start + CONTEXT + 1] for start in starts])
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten()).backward()
    optimizer.step()
else:
    raise SystemExit(f"the network still goes on with {recited()!r}")
net.eval()
torch.save(net.state_dict(), made.FOLDER / "weights.pt")
made.json_file("expected.json", {"prompt": PROMPT, "continuation": recited()})

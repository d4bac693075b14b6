"""A scripted model that adds up the rows of [N, 3], for base_handler behind an envelope."""

import made
import torch


class RowSums(torch.nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.to(torch.float32).sum(1)


torch.jit.script(RowSums()).save(str(made.FOLDER / "sums.pt"))

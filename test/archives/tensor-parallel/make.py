"""A matrix of small whole numbers, so that halves add up exactly, and its products."""

import made
import torch

ROWS = [[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0.5, 2.0]]

matrix = torch.randint(-4, 5, (3, 4)).float()
torch.save(matrix, made.FOLDER / "matrix.pt")
made.json_file("expected.json", {"rows": ROWS, "values": [(matrix @ torch.tensor(row)).tolist() for row in ROWS]})

"""Writes a TorchScript network of about five megabytes to the path given."""

import sys

import torch

torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Linear(784, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10)
)
torch.jit.trace(network.eval(), torch.zeros(1, 784)).save(sys.argv[1])

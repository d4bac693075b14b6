"""Preprocessing outside of PyTorch."""

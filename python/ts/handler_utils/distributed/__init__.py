"""Engines that spread one model over several processes."""

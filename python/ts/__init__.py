"""TorchServe's handler API as Sconce provides it; the package itself needs the standard library only."""

from ts.version import __version__

__all__ = ["__version__"]

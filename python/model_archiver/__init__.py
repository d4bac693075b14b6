"""Makes model archives (.mar): what `torch-model-archiver` runs, and the same from Python."""

from . import version

__version__ = version.__version__

from .model_archiver import ModelArchiver  # noqa: E402 - the manifest carries __version__
from .model_archiver_config import ModelArchiverConfig  # noqa: E402

__all__ = ["ModelArchiver", "ModelArchiverConfig", "__version__"]

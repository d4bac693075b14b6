"""Makes workflow archives (.war): what `torch-workflow-archiver` runs."""

from . import version

__version__ = version.__version__

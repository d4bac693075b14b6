"""The Python API: one call makes one archive."""

from model_archiver.model_archiver_config import ModelArchiverConfig
from model_archiver.model_packaging import generate_model_archive


class ModelArchiver:
    """Makes model archives from Python."""

    @staticmethod
    def generate_model_archive(config: ModelArchiverConfig) -> None:
        """Writes the archive that `config` describes.

        Raises ModelArchiverError when it may not be made as asked, OSError or ValueError for what is wrong with a file.
        """
        generate_model_archive(config)

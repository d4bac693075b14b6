"""What an archive is made of."""

import os
from argparse import Namespace
from dataclasses import dataclass, field, fields
from typing import Literal, Optional

from model_archiver.manifest_components.manifest import RuntimeType


@dataclass
class ModelArchiverConfig:
    """The flags of `torch-model-archiver`, with the same meanings and defaults. `extra_files` is a comma list."""

    model_name: str
    handler: str
    version: str
    serialized_file: Optional[str] = None
    model_file: Optional[str] = None
    extra_files: Optional[str] = None
    runtime: str = RuntimeType.PYTHON.value
    export_path: str = field(default_factory=os.getcwd)
    archive_format: Literal["default", "zip-store", "tgz", "no-archive"] = "default"
    force: bool = False
    requirements_file: Optional[str] = None
    config_file: Optional[str] = None

    @classmethod
    def from_args(cls, args: Namespace) -> "ModelArchiverConfig":
        """Takes the fields from parsed arguments of the same names."""
        return cls(**{of.name: getattr(args, of.name) for of in fields(cls)})

"""DeepSpeed's inference engine as a model's yaml describes it. Needs the package deepspeed."""

import json
import logging
import os
from pathlib import Path

import deepspeed

CHECKPOINT_SUFFIXES = {".bin", ".pt"}

logger = logging.getLogger(__name__)


def create_checkpoints_json(model_path, checkpoints_json) -> None:
    """Writes the list of the weight files below `model_path` that DeepSpeed loads a model from."""
    files = [str(path) for path in Path(model_path).rglob("*") if path.suffix in CHECKPOINT_SUFFIXES and path.is_file()]
    description = {"type": "ds_model", "checkpoints": sorted(files), "version": 1.0}
    print(f"Creating deepspeed checkpoint file {checkpoints_json}")
    with open(checkpoints_json, "w", encoding="utf-8") as file:
        json.dump(description, file)


def get_ds_engine(model, ctx):
    """The engine of `model`: yaml `deepspeed: {config, checkpoint}`, files of the archive, and `handler: {model_path}`.

    `checkpoint` names the list of weight files, which is written here. ValueError without `deepspeed` in the yaml, and
    when its configuration file is missing.
    """
    yaml = ctx.model_yaml_config
    model_path = yaml["handler"]["model_path"]
    if "deepspeed" not in yaml:
        raise ValueError(f"{ctx.model_name} has no deepspeed config in model config yaml file")
    settings = yaml["deepspeed"]
    model_dir = ctx.system_properties.get("model_dir")

    config = checkpoint = None
    if "config" in settings:
        config = os.path.join(model_dir, settings["config"])
        if not os.path.exists(config):
            raise ValueError(f"{ctx.model_name} has no deepspeed config file {config}")
    if "checkpoint" in settings:
        checkpoint = os.path.join(model_dir, settings["checkpoint"])
        create_checkpoints_json(model_path, checkpoint)

    logger.debug("Creating DeepSpeed engine")
    return deepspeed.init_inference(model, config=config, base_dir=model_path, checkpoint=checkpoint)

"""NVIDIA DALI's preprocessing as a model's yaml describes it. Needs the package nvidia-dali."""

import os

import torch
from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.pipeline import Pipeline

from ts.torch_handler.imagenet_statistics import CROP_PIXELS, MEAN, RESIZE_PIXELS, STANDARD_DEVIATION


def get_dali_pipeline(ctx) -> Pipeline:
    """The pipeline of yaml `dali: {batch_size, num_threads, device_id, seed[, pipeline_file]}`.

    `pipeline_file` is a serialized pipeline in the archive; without one, images are cut and normalized as ImageNet
    models want them. Where there is no CUDA, and for `device_id: null`, it runs on the processor. Raises ValueError
    without `dali` in the yaml, RuntimeError without the file.
    """
    if "dali" not in ctx.model_yaml_config:
        raise ValueError(f"{ctx.model_name} has no dali config in model config yaml file")
    settings = ctx.model_yaml_config["dali"]
    options = {
        "batch_size": settings["batch_size"],
        "num_threads": settings["num_threads"],
        "device_id": settings["device_id"] if torch.cuda.is_available() else None,
        "seed": settings["seed"],
        # What is fetched ahead would come of the images of a later batch.
        "prefetch_queue_depth": 1,
    }
    if "pipeline_file" not in settings:
        return _imagenet_pipeline(decoder="cpu" if options["device_id"] is None else "mixed", **options)

    path = os.path.join(ctx.system_properties.get("model_dir"), settings["pipeline_file"])
    if not os.path.exists(path):
        raise RuntimeError("Missing dali pipeline file.")
    pipeline = Pipeline.deserialize(filename=path, **options)
    # Older releases leave these of a deserialized pipeline unset, and then take no input.
    pipeline._max_batch_size = options["batch_size"]
    pipeline._num_threads = options["num_threads"]
    pipeline._device_id = options["device_id"]
    return pipeline


@pipeline_def
def _imagenet_pipeline(decoder):
    encoded = fn.external_source(dtype=types.UINT8, name="source")
    resized = fn.resize(
        fn.decoders.image(encoded, device=decoder),
        size=[RESIZE_PIXELS],
        mode="not_smaller",
        interp_type=types.DALIInterpType.INTERP_LINEAR,
        antialias=True,
        subpixel_scale=False,
    )
    return fn.crop_mirror_normalize(
        resized,
        crop=(CROP_PIXELS, CROP_PIXELS),
        crop_pos_x=0.5,
        crop_pos_y=0.5,
        mean=[255 * value for value in MEAN],
        std=[255 * value for value in STANDARD_DEVIATION],
    )

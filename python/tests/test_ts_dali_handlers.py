"""DALI's handlers over a stand-in of its classes, and on DALI itself where that is installed.

`npm test` doesn't install it, as it takes a gigabyte. It needs no GPU: `pip install nvidia-dali-cuda120`.
"""

import importlib
import io
import json

import pytest

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402

DALI = """
    from types import SimpleNamespace
    from nvidia.dali.pipeline import Pipeline, pipeline_def

    calls = []
    def operator(name):
        def call(*inputs, **options):
            calls.append((name, options))
            return name
        return call

    fn = SimpleNamespace(
        external_source=operator("external_source"),
        resize=operator("resize"),
        crop_mirror_normalize=operator("crop_mirror_normalize"),
        decoders=SimpleNamespace(image=operator("image")),
    )
    types = SimpleNamespace(UINT8="uint8", DALIInterpType=SimpleNamespace(INTERP_LINEAR="linear"))
"""
PIPELINE = """
    import numpy

    class Pictures(list):
        def at(self, index):
            return self[index]

    class Pipeline:
        def __init__(self, options):
            self.options = options

        @classmethod
        def deserialize(cls, **options):
            return cls(options)

        def run(self, source):
            assert all(picture.dtype == numpy.uint8 for picture in source)
            return [Pictures(numpy.full((3, 224, 224), len(picture), dtype=numpy.float32) for picture in source)]

    def pipeline_def(function):
        def build(*, batch_size, num_threads, device_id, seed, prefetch_queue_depth, **arguments):
            function(**arguments)
            return Pipeline({"batch_size": batch_size, "device_id": device_id, "seed": seed})
        return build
"""
SETTINGS = {"batch_size": 3, "num_threads": 1, "device_id": 0, "seed": 5}


class Brightness(torch.nn.Module):
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean(dim=(2, 3))


def a_picture(colour, mode="RGB", size=(300, 260)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def a_service(folder, **settings):
    torch.jit.script(Brightness()).save(str(folder / "model.pt"))
    handler = importlib.import_module("ts.torch_handler.dali_image_classifier").DALIImageClassifier()
    manifest = {"model": {"serializedFile": "model.pt"}}
    config = {"dali": {**SETTINGS, **settings}}
    metrics = configured_metrics_cache("m")
    service = Service("m", str(folder), manifest, handler.handle, None, 3, True, metrics, config)
    handler.initialize(service.context)
    return handler, service


def answers(service, *pictures) -> list:
    batch = [
        {"requestId": str(index), "headers": [], "parameters": [("body", "", picture)]}
        for index, picture in enumerate(pictures)
    ]
    result = service.predict(batch)
    assert result.code == 200, result
    return [json.loads(entry.body) for entry in result.entries]


@pytest.fixture
def stand_in(packages):
    packages({"nvidia/dali/__init__.py": DALI, "nvidia/dali/pipeline.py": PIPELINE})


def test_pictures_are_classified_after_the_pipeline(stand_in, tmp_path):
    handler, service = a_service(tmp_path)

    rows = answers(service, b"x", b"xx")

    assert [sorted(row) for row in rows] == [["0", "1", "2"]] * 2
    assert handler.pipeline.options == {"batch_size": 3, "device_id": None, "seed": 5}
    image, *_ = [options for name, options in importlib.import_module("nvidia.dali").calls if name == "image"]
    assert image == {"device": "cpu"}


def test_the_number_of_classes_can_be_set(stand_in, tmp_path):
    handler, service = a_service(tmp_path)
    handler.set_max_result_classes(1)

    assert len(answers(service, b"x")[0]) == handler.get_max_result_classes() == 1


def test_a_pipeline_of_the_archive_is_used(stand_in, tmp_path):
    (tmp_path / "own.dali").touch()

    handler, _ = a_service(tmp_path, pipeline_file="own.dali")

    assert handler.pipeline.options["filename"] == str(tmp_path / "own.dali")
    assert handler.pipeline._max_batch_size == 3


def test_a_pipeline_that_the_archive_lacks_is_refused(stand_in, tmp_path):
    with pytest.raises(RuntimeError, match="^Missing dali pipeline file.$"):
        a_service(tmp_path, pipeline_file="absent.dali")


def test_a_yaml_without_dali_is_refused(stand_in):
    get_dali_pipeline = importlib.import_module("ts.handler_utils.preprocess.dali").get_dali_pipeline

    with pytest.raises(ValueError, match="^m has no dali config in model config yaml file$"):
        get_dali_pipeline(Service("m", "/models/m", None, None, None, 1, True, None, {}).context)


def test_dali_itself_prepares_pictures_as_imagenet_models_want_them(tmp_path):
    dali_pipeline = pytest.importorskip("nvidia.dali.pipeline")
    handler, service = a_service(tmp_path)
    red = [{"data": a_picture((255, 0, 0))}, {"body": bytearray(a_picture((0, 255, 0)))}]

    prepared = handler.preprocess(red)

    assert prepared.shape == (2, 3, 224, 224)
    expected = [[(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], [-0.485 / 0.229, (1 - 0.456) / 0.224, -1.8]]
    assert torch.allclose(prepared[:, :, 100, 100], torch.tensor(expected), atol=0.05)
    assert list(answers(service, *(a_picture(colour) for colour in [(255, 0, 0), (0, 255, 0)]))[1])[0] == "1"

    handler.pipeline.serialize(filename=str(tmp_path / "own.dali"))
    own, _ = a_service(tmp_path, pipeline_file="own.dali")
    assert isinstance(own.pipeline, dali_pipeline.Pipeline)
    assert torch.equal(own.preprocess(red), prepared)

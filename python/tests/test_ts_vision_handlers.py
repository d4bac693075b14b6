import base64
import importlib
import io
import json
import logging
import sys

import pytest

torch = pytest.importorskip("torch")
PIL_Image = pytest.importorskip("PIL.Image")

from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402
from ts.torch_handler.vision_handler import VisionHandler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class MeanColour(torch.nn.Module):
    """Three classes: how red, green and blue a picture is."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean(dim=[2, 3])


def built_in(name: str):
    pytest.importorskip("torchvision")
    module = importlib.import_module(f"ts.torch_handler.{name}")
    return getattr(module, "".join(part.title() for part in name.split("_")))


class PlainVision(VisionHandler):
    @staticmethod
    def image_processing(image):
        values = torch.tensor(list(image.getdata()), dtype=torch.float32) / 255
        return values.reshape(image.height, image.width, 3).permute(2, 0, 1)


def a_service(folder, handler, module=None, limit_max_image_pixels: bool = True) -> Service:
    torch.jit.script(module or MeanColour()).save(str(folder / "model.pt"))
    manifest = {"model": {"modelName": "m", "serializedFile": "model.pt"}}
    cache = configured_metrics_cache("m")
    service = Service("m", str(folder), manifest, handler.handle, None, 4, limit_max_image_pixels, cache, {})
    handler.initialize(service.context)
    return service


def a_picture(colour, size=(300, 280), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    PIL_Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


RED = (255, 0, 0)
GREEN = (0, 255, 0)


def predict(service, *parameters, **headers):
    batch = [
        {"requestId": f"r{index}", "headers": list(headers.items()), "parameters": [parameter]}
        for index, parameter in enumerate(parameters)
    ]
    return service.predict(batch)


def answers(service, *parameters, **headers) -> list:
    result = predict(service, *parameters, **headers)
    assert result.code == 200, result
    return [json.loads(entry.body) for entry in result.entries]


def test_a_picture_comes_as_bytes_as_base64_or_as_numbers(tmp_path):
    service = a_service(tmp_path, PlainVision())
    picture = a_picture(RED, (2, 2))
    numbers = [[[1.0, 1.0]] * 2, [[0.0, 0.0]] * 2, [[0.0, 0.0]] * 2]

    rows = answers(
        service,
        ("data", "image/png", picture),
        ("body", "", picture),
        ("body", "text/plain", base64.b64encode(picture)),
        ("body", "application/json", json.dumps(numbers).encode()),
    )

    assert rows == [[1.0, 0.0, 0.0]] * 4


def test_what_is_no_picture_fails_the_batch(tmp_path):
    service = a_service(tmp_path, PlainVision())

    assert predict(service, ("body", "", b"text")).message == "Prediction failed"
    assert predict(service, ("other", "", b"text")).message == "Prediction failed"


@pytest.mark.parametrize("is_limited", [True, False])
def test_the_limit_of_pixels_is_lifted_when_the_server_says_so(tmp_path, monkeypatch, is_limited):
    monkeypatch.setattr(PIL_Image, "MAX_IMAGE_PIXELS", 1000)

    a_service(tmp_path, PlainVision(), limit_max_image_pixels=is_limited)

    assert (1000 if is_limited else None) == PIL_Image.MAX_IMAGE_PIXELS


def test_an_explanation_without_captum_fails_and_names_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    service = a_service(tmp_path, PlainVision())

    result = predict(service, ("body", "", a_picture(RED, (2, 2))), explain="True")

    assert (result.code, result.message) == (503, "Prediction failed")
    assert "captum" in caplog.messages[-1].split("\n")[-2]


def test_an_explanation_has_the_shape_of_the_picture(tmp_path, capsys):
    pytest.importorskip("captum")
    service = a_service(tmp_path, PlainVision())

    (explanation,) = answers(service, ("body", "", a_picture(RED, (3, 2))), explain="True")

    assert torch.tensor(explanation).shape == (3, 2, 3)
    assert explanation[0][0][0] == pytest.approx(1 / 6)
    assert "input shape torch.Size([1, 3, 2, 3])" in capsys.readouterr().out


def test_what_explains_can_be_replaced():
    handler = PlainVision()
    handler.ig = "mine"

    assert handler.ig == "mine"
    assert PlainVision._ig is None


def test_the_classifier_names_the_likeliest_classes_first(tmp_path):
    (tmp_path / "index_to_name.json").write_text('{"0": "red", "1": "green", "2": "blue"}')
    service = a_service(tmp_path, built_in("image_classifier")())

    first, second = answers(service, ("body", "", a_picture(RED)), ("body", "", a_picture(GREEN)))

    assert list(first)[0] == "red"
    assert list(second)[0] == "green"
    for answer in (first, second):
        assert list(answer.values()) == sorted(answer.values(), reverse=True)
        assert sum(answer.values()) == pytest.approx(1)


def test_the_classifier_answers_five_classes_by_index(tmp_path):
    class Seven(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.arange(7).float().repeat(pictures.shape[0], 1)

    service = a_service(tmp_path, built_in("image_classifier")(), Seven())

    (answer,) = answers(service, ("body", "", a_picture(RED)))

    assert list(answer) == ["6", "5", "4", "3", "2"]
    assert list(answer.values()) == torch.topk(torch.softmax(torch.arange(7).float(), 0), 5).values.tolist()


def test_the_number_of_classes_can_be_set(tmp_path):
    handler = built_in("image_classifier")()
    handler.set_max_result_classes(1)
    service = a_service(tmp_path, handler)

    assert len(answers(service, ("body", "", a_picture(RED)))[0]) == handler.get_max_result_classes() == 1


def test_a_grey_picture_is_not_converted(tmp_path):
    service = a_service(tmp_path, built_in("image_classifier")())

    assert predict(service, ("body", "", a_picture(7, mode="L"))).message == "Prediction failed"


def test_the_segmenter_answers_class_and_probability_per_pixel(tmp_path):
    class Segments(torch.nn.Module):
        def forward(self, pictures: torch.Tensor):
            return {"out": torch.stack([pictures[:, 0] * 0, pictures[:, 0] * 0 + 1], dim=1)}

    service = a_service(tmp_path, built_in("image_segmenter")(), Segments())

    (answer,) = answers(service, ("body", "", a_picture(RED)))

    assert (len(answer), len(answer[0]), len(answer[0][0])) == (224, 224, 2)
    assert answer[5][7] == [1.0, pytest.approx(0.731, abs=1e-3)]


def test_the_detector_answers_boxes_above_its_threshold(tmp_path):
    class Detections(torch.nn.Module):
        def forward(self, pictures: torch.Tensor):
            find = {
                "boxes": torch.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]),
                "labels": torch.tensor([1, 2]),
                "scores": torch.tensor([0.5, 0.25]),
            }
            return [find for _ in range(pictures.shape[0])]

    (tmp_path / "index_to_name.json").write_text('{"1": "cat", "2": "dog"}')
    service = a_service(tmp_path, built_in("object_detector")(), Detections())

    rows = answers(service, ("body", "", a_picture(RED)), ("body", "", a_picture(GREEN)))

    assert rows == [[{"cat": [0.0, 1.0, 2.0, 3.0], "score": 0.5}]] * 2


def test_profiled_pictures_print_their_steps(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    service = a_service(tmp_path, PlainVision())
    service.context.model_yaml_config["handler"] = {"profile": True}

    answers(service, ("body", "", a_picture(RED, (2, 2))))

    assert any(message.startswith("[METRICS]ts_handler_preprocess.") for message in caplog.messages)

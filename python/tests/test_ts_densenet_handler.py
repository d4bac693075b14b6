import io
import logging

import pytest

torch = pytest.importorskip("torch")

from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402
from ts.torch_handler.densenet_handler import DenseNetHandler  # noqa: E402

MODEL_FILE = """
import torch
class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([1.0]))
    def forward(self, values):
        return values * self.scale
"""


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([3.0]))

    def forward(self, values):
        return values * self.scale


def initialised(folder, **model):
    handler = DenseNetHandler()
    metrics = configured_metrics_cache("m")
    service = Service("m", str(folder), {"model": model}, handler.handle, None, 1, True, metrics, {})
    handler.initialize(service.context)
    return handler, service


def saved(tensor) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensor, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("is_eager", [True, False])
def test_a_tensor_is_answered_with_a_tensor(tmp_path, monkeypatch, caplog, is_eager):
    caplog.set_level(logging.INFO)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "scale_net.py").write_text(MODEL_FILE)
    if is_eager:
        torch.save(Scale().state_dict(), tmp_path / "model.pt")
    else:
        torch.jit.script(Scale()).save(str(tmp_path / "model.pt"))
    files = {"serializedFile": "model.pt", **({"modelFile": "scale_net.py"} if is_eager else {})}
    handler, service = initialised(tmp_path, **files)

    body = saved(torch.tensor([1.0, 2.0]))
    result = service.predict([{"requestId": "r", "headers": [], "parameters": [("body", "", body)]}])

    assert handler.initialized
    assert result.code == 200
    assert torch.load(io.BytesIO(result.entries[0].body)).tolist() == [[3.0, 6.0]]
    assert any(message.startswith("[METRICS]HandlerTime.") for message in caplog.messages)


def test_an_archive_without_the_models_file_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="^Missing the model.pt file$"):
        initialised(tmp_path, serializedFile="absent.pt")


class Planted:
    def __reduce__(self):
        return print, ("what the client planted has run",)


def test_a_request_is_not_unpickled_even_where_the_operator_trusts_his_own_weights(tmp_path, monkeypatch, capsys):
    # What the message about an archive's weights advises, where these hold more than tensors.
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.jit.script(Scale()).save(str(tmp_path / "model.pt"))
    _, service = initialised(tmp_path, serializedFile="model.pt")

    body = saved(Planted())
    result = service.predict([{"requestId": "r", "headers": [], "parameters": [("body", "", body)]}])

    assert result.code == 503
    assert "planted has run" not in capsys.readouterr().out

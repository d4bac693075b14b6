import json
import sys

import pytest

torch = pytest.importorskip("torch")

from ts.metrics.configured_cache import configured_metrics_cache  # noqa: E402
from ts.service import Service  # noqa: E402
from ts.torch_handler.contractions import CONTRACTION_MAP  # noqa: E402
from ts.torch_handler.text_classifier import TextClassifier  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MODEL_FILE = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(8, 3, mode="mean")
        torch.nn.init.constant_(self.embedding.weight, 0.5)
    def forward(self, text, offsets):
        return self.embedding(text, offsets) + torch.tensor([0.0, 1.0, 2.0])
"""


@pytest.fixture
def service(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "text_net.py").write_text(MODEL_FILE)
    vocabulary = {"i": 1, "cannot": 2, "go": 3, "i cannot": 4, "cannot go": 5}
    torch.save(vocabulary, tmp_path / "source_vocab.pt")
    (tmp_path / "index_to_name.json").write_text('{"0": "a", "1": "b", "2": "c"}')
    handler = TextClassifier()
    manifest = {"model": {"modelName": "m", "modelFile": "text_net.py"}}
    built = Service("m", str(tmp_path), manifest, handler.handle, None, 1, True, configured_metrics_cache("m"), {})
    handler.initialize(built.context)
    built.handler = handler
    yield built
    sys.modules.pop("text_net", None)


def predict(service, *texts, content_type: str = "text/plain", **headers):
    return service.predict(
        [
            {"requestId": f"r{i}", "headers": list(headers.items()), "parameters": [("body", content_type, text)]}
            for i, text in enumerate(texts)
        ]
    )


@pytest.mark.parametrize("content_type", ["text/plain", ""])
def test_a_text_is_answered_with_all_classes(service, content_type):
    result = predict(service, "<b>I can't</b> gó!".encode(), content_type=content_type)

    assert result.code == 200
    answer = json.loads(result.entries[0].body)
    assert list(answer) == ["a", "b", "c"]
    assert list(answer.values()) == torch.softmax(torch.tensor([0.5, 1.5, 2.5]), 0).tolist()


def test_a_text_is_cleaned_before_it_is_numbered(service):
    numbers, tokens = service.handler.preprocess([{"data": "I CAN'T go."}])

    assert tokens == ["i", "cannot", "go"]
    assert numbers.tolist() == [1, 2, 3, 4, 5]


def test_only_one_text_at_a_time_is_answered(service):
    assert predict(service, b"i", b"go").message == "number of batch response mismatched"


def test_contractions_are_written_out(service):
    expand = service.handler._expand_contractions

    assert (
        expand("I'd've SHE'S won't y'all're o'clock rock'n") == "I wouldve She is will not you allre of the clock rockn"
    )


def test_the_table_of_contractions_is_complete():
    assert len(CONTRACTION_MAP) == 123
    assert CONTRACTION_MAP["shouldn't've"] == "should not have"
    assert CONTRACTION_MAP["how'd'y"] == "how do you"
    assert CONTRACTION_MAP["y'all'd've"] == "you all would have"
    assert CONTRACTION_MAP["won't've"] == "will not have"


def test_text_handlers_keep_their_old_names(service):
    handler = service.handler

    assert handler._remove_puncutation("a.b!") == handler._remove_punctuation("a.b!") == "ab"
    assert handler.get_word_token(["\u0120a", "b"]) == ["a", "b"]


def test_an_archive_without_vocabulary_is_refused(service, tmp_path):
    (tmp_path / "source_vocab.pt").unlink()

    with pytest.raises(Exception, match="^Missing the source_vocab file."):
        TextClassifier().initialize(service.context)


def test_a_vocabulary_may_be_named_by_the_manifest(service, tmp_path):
    torch.save({"x": 7}, tmp_path / "other.pt")
    service.context.manifest["model"]["sourceVocab"] = str(tmp_path / "other.pt")
    handler = TextClassifier()

    handler.initialize(service.context)

    assert handler.source_vocab == {"x": 7}


def test_an_explanation_without_captum_fails_and_names_it(service, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)

    result = predict(service, b"i", explain="True")

    assert (result.code, result.message) == (503, "Prediction failed")
    assert "captum" in caplog.messages[-1].split("\n")[-2]


def test_what_explains_is_made_of_the_embedding_and_can_be_replaced(service):
    service.handler.lig = "mine"
    assert service.handler.lig == "mine"

    captum = pytest.importorskip("captum.attr")
    service.handler.lig = None
    assert isinstance(service.handler.lig, captum.LayerIntegratedGradients)


def test_an_explanation_weighs_the_tokens(service):
    pytest.importorskip("captum")

    result = predict(service, b"I can't go", explain="True")

    answer = json.loads(result.entries[0].body)
    assert answer["words"] == ["i", "cannot", "go"]
    assert len(answer["importances"][0]) == 3

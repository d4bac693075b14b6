import json
import types

import pytest

from ts.handler_utils.text_utils import get_tokenizer, ngrams_iterator
from ts.handler_utils.timer import timed
from ts.handler_utils.utils import import_class
from ts.metrics.metrics_store import MetricsStore
from ts.torch_handler.unit_tests.test_utils.mock_context import MockContext
from ts.utils.timeit_decorator import timeit
from ts.utils.util import (
    CLEANUP_REGEX,
    check_valid_pt2_backend,
    deprecated,
    get_yaml_config,
    list_classes_from_module,
    load_label_mapping,
    map_class_to_label,
)


def a_mapping(tmp_path, value):
    path = tmp_path / "index_to_name.json"
    path.write_text(json.dumps(value))
    return load_label_mapping(str(path))


def test_a_missing_mapping_warns_and_is_none(tmp_path, caplog):
    path = str(tmp_path / "index_to_name.json")

    assert load_label_mapping(path) is None
    assert caplog.messages == [f"'{path}' is missing. Inference output will not include class name."]


@pytest.mark.parametrize(
    ("value", "mapping"),
    [
        ({"0": "cat", "1": "dog"}, {"0": "cat", "1": "dog"}),
        ({"0": ["n01", "cat"]}, {"0": "cat"}),
        ({"object_type_names": ["a", "b"]}, {"0": "a", "1": "b"}),
    ],
)
def test_a_mapping_has_three_forms(tmp_path, value, mapping):
    assert a_mapping(tmp_path, value) == mapping


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["a"], 'index->name JSON mapping should be in "class": "label" format.'),
        ({"0": 1}, "labels in index->name mapping must be either str or List"),
        ({"0": ["a", 1]}, "labels in index->name mapping must be either str or List"),
    ],
)
def test_a_mapping_of_another_form_is_refused(tmp_path, value, text):
    with pytest.raises(Exception, match=text):
        a_mapping(tmp_path, value)


def test_probabilities_get_their_labels_in_order():
    assert map_class_to_label([[0.9, 0.1]], {"0": "cat", "1": "dog"}) == [{"cat": 0.9, "dog": 0.1}]
    assert map_class_to_label([[0.9, 0.1], [0.2, 0.8]]) == [{"0": 0.9, "1": 0.1}, {"0": 0.2, "1": 0.8}]
    labelled = map_class_to_label([[0.9, 0.1]], {"0": "cat", "1": "dog"}, [[1, 0]])
    assert list(labelled[0].items()) == [("dog", 0.9), ("cat", 0.1)]
    assert map_class_to_label([[0.9, 0.1]], {"0": "cat", "1": "cat"}) == [{"cat": 0.1}]


def test_probabilities_that_cannot_be_labelled_are_refused():
    with pytest.raises(Exception, match="Convert classes to list before doing mapping"):
        map_class_to_label(((0.9,),))
    with pytest.raises(Exception, match="Mapping must be a dict"):
        map_class_to_label([[0.9]], ["cat"])
    with pytest.raises(KeyError):
        map_class_to_label([[0.9, 0.1]], {"0": "cat"})


def test_only_classes_of_the_module_itself_are_listed():
    module = types.ModuleType("own")
    exec("class B: pass\nclass A(B): pass\nfrom decimal import Decimal", module.__dict__)

    assert [cls.__name__ for cls in list_classes_from_module(module)] == ["A", "B"]
    assert list_classes_from_module(module, module.A) == [module.A]


def test_backends_of_torch_compile_are_known_by_name(caplog):
    assert check_valid_pt2_backend("inductor")
    assert check_valid_pt2_backend("hpu_backend")
    assert not check_valid_pt2_backend("absent")
    assert caplog.messages == ["absent is not a supported backend"]


def test_an_empty_yaml_is_an_empty_dict(tmp_path):
    pytest.importorskip("yaml")
    path = tmp_path / "config.yaml"

    path.write_text("")
    assert get_yaml_config(path) == {}
    path.write_text("a: on\nb: 010\nc: 1_000\n")
    assert get_yaml_config(path) == {"a": True, "b": 8, "c": 1000}


def test_a_deprecated_function_warns_and_works():
    @deprecated("2.0", "other.name")
    def old(value):
        return value

    with pytest.warns(PendingDeprecationWarning, match=r"old is deprecated as of version 2.0; use other.name"):
        assert old(3) == 3
    assert old.__name__ == "old"


def test_html_is_cleaned_away():
    assert CLEANUP_REGEX.sub("", "<b>a</b> &amp; b &#39; &#x2f;c") == "a  b  c"


def test_a_class_is_imported_by_its_name():
    from collections import OrderedDict
    from json.decoder import JSONDecoder

    assert import_class("collections.OrderedDict") is OrderedDict
    assert import_class("OrderedDict", "collections") is OrderedDict
    assert import_class("decoder.JSONDecoder", "json") is JSONDecoder


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("",), "^class name is not defined$"),
        (("Name",), r"^module name is not defined\.$"),
        (("collections.Absent",), r"^class:Absent not found in module:collections\.$"),
        (("Absent", "collections"), r"^class:Absent not found in module:\.$"),
        (("absent_module.Name",), "absent_module"),
    ],
)
def test_a_class_that_cannot_be_imported_is_named(arguments, text):
    with pytest.raises(ImportError, match=text):
        import_class(*arguments)


def test_the_basic_tokenizer_separates_punctuation():
    tokenize = get_tokenizer("basic_english")

    assert tokenize('You can\'t, "now" (really)<br />go: a;b.') == [
        *["you", "can", "'", "t", ",", "now", "(", "really", ")", "go", "a", "b", "."]
    ]


def test_tokenizers_are_chosen_by_name_or_given():
    assert get_tokenizer(None)("A b") == ["A", "b"]
    assert get_tokenizer(list)("ab") == ["a", "b"]
    with pytest.raises(ValueError, match="English"):
        get_tokenizer("basic_english", "de")
    with pytest.raises(ValueError, match="spacy"):
        get_tokenizer("spacy")


def test_ngrams_follow_the_tokens():
    assert list(ngrams_iterator(["here", "we", "are"], 2)) == ["here", "we", "are", "here we", "we are"]
    assert list(ngrams_iterator(["a"], 3)) == ["a"]


class Stepper:
    def __init__(self, config):
        self.context = types.SimpleNamespace(model_yaml_config=config, metrics=MetricsStore("r", "m"))

    @timed
    def preprocess(self, data, extra=0):
        return data + extra


@pytest.mark.parametrize("config", [None, {}, {"handler": None}, {"handler": {}}, {"handler": {"profile": False}}])
def test_a_step_is_not_timed_unless_the_yaml_says_so(config):
    stepper = Stepper(config)

    assert stepper.preprocess(1, extra=2) == 3
    assert stepper.context.metrics.store == []


def test_a_timed_step_adds_a_metric():
    stepper = Stepper({"handler": {"profile": True}})

    assert stepper.preprocess(1) == 1
    (metric,) = stepper.context.metrics.store
    assert (metric.name, metric.unit) == ("ts_handler_preprocess", "Milliseconds")
    assert metric.value >= 0


def test_a_step_without_context_is_not_timed():
    stepper = Stepper({"handler": {"profile": True}})
    stepper.context = None

    assert stepper.preprocess(1) == 1


def test_timeit_prints_the_time_and_gives_the_result(capsys):
    assert timeit(lambda value: value + 1)(1) == 2
    assert "took a total of" in capsys.readouterr().out


def test_a_mock_context_needs_no_server(tmp_path):
    context = MockContext(model_dir=str(tmp_path))

    assert context.manifest == {"model": {"serializedFile": "model.pt", "modelFile": "model.py"}}
    assert context.system_properties["model_dir"] == str(tmp_path)
    assert isinstance(context.metrics, MetricsStore)
    assert (context.model_yaml_config, context.explain) == ({}, False)
    context.explain = True
    assert [context.get_request_header(index, "explain") for index in (0, 1)] == [False, True]
    assert MockContext(model_pt_file=None, model_file=None).manifest == {"model": {}}


def test_a_mock_context_reads_a_yaml(tmp_path):
    pytest.importorskip("yaml")
    (tmp_path / "config.yaml").write_text("a: 1\n")

    assert MockContext(model_dir=str(tmp_path), model_yaml_config_file="config.yaml").model_yaml_config == {"a": 1}

import json
import logging

import pytest

from ts.context import Context
from ts.model_service.model_service import ModelService, SingleNodeService


class Doubler(SingleNodeService):
    def _preprocess(self, data):
        return data[0]

    def _inference(self, data):
        return 2 * data

    def _postprocess(self, data):
        return [data]


def initialised(folder, cls=Doubler, input_type="application/json"):
    signature = {"input_type": input_type, "inputs": [{"data_name": "number"}]}
    (folder / "signature.json").write_text(json.dumps(signature))
    service = cls("m", str(folder), None)
    context = Context("m", str(folder), {"Model": {"Signature": "signature.json"}}, 1, None, "0.12.0")
    service.initialize(context)
    return service, context


@pytest.mark.parametrize("row", [{"number": bytearray(b"4")}, {"body": b"4"}, {"data": 4}, {"number": 4, "body": 5}])
def test_the_input_is_the_one_of_the_signature_else_body_or_data(tmp_path, row):
    service, context = initialised(tmp_path)

    assert service.handle([row], context) == [8]


@pytest.mark.parametrize(("text", "value"), [(b"[1, true]", [1, True]), (b"[1, True]", [1, True])])
def test_json_is_parsed_and_so_is_pythons_spelling(tmp_path, text, value):
    class Echo(ModelService):
        def inference(self, data):
            return data

    service, context = initialised(tmp_path, Echo)

    assert service.handle([{"body": text}], context) == [value]


def test_another_type_stays_as_it_came_and_one_result_becomes_a_list(tmp_path):
    class Size(ModelService):
        def inference(self, data):
            return len(data[0])

    service, context = initialised(tmp_path, Size, "image/jpeg")

    assert service.handle([{"body": b"123"}], context) == [3]
    assert service.signature()["input_type"] == "image/jpeg"


def test_the_time_of_each_step_is_logged(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    service, context = initialised(tmp_path)

    service.handle([{"body": b"4"}], context)

    assert [message.partition(":")[0] for message in caplog.messages] == [
        "preprocess time",
        "inference time",
        "postprocess time",
    ]


def test_a_service_without_its_signature_is_refused(tmp_path):
    context = Context("m", str(tmp_path), {"Model": {"Signature": "absent.json"}}, 1, None, "0.12.0")

    with pytest.raises(ValueError, match="^Signature file is not found.$"):
        Doubler("m", str(tmp_path), None).initialize(context)

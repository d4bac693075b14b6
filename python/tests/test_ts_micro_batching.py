import threading

import pytest

from ts.context import RequestProcessor
from ts.handler_utils.micro_batching import MicroBatching
from ts.metrics.configured_cache import configured_metrics_cache
from ts.service import Service


class Handler:
    """Not built on BaseHandler's constructor, as the examples do it."""

    def __init__(self, **options):
        self.context = None
        self.sizes = []
        self.handle = MicroBatching(self, **options)

    def preprocess(self, data):
        self.sizes.append(len(data))
        return [bytes(row["body"]).decode() for row in data]

    def inference(self, data):
        return [text.upper() for text in data]

    def postprocess(self, data):
        return data

    def _is_describe(self):
        return self.context.get_request_header(0, "describe") == "True"

    def _is_explain(self):
        return self.context.get_request_header(0, "explain") == "True"

    def describe_handle(self):
        return "description"

    def explain_handle(self, preprocessed, data):
        return [f"why {text}" for text in preprocessed]


@pytest.fixture
def served():
    handlers = []

    def serve(handler) -> Service:
        handlers.append(handler)
        return Service("m", "/m", None, handler.handle, None, 1, True, configured_metrics_cache("m"), {})

    yield serve
    for handler in handlers:
        handler.handle.shutdown()


def a_batch(count: int, **headers: str) -> list:
    return [
        {"requestId": f"r{index}", "headers": list(headers.items()), "parameters": [("body", "", b"a%d" % index)]}
        for index in range(count)
    ]


def bodies(result) -> list:
    assert result.code == 200, result
    return [entry.body for entry in result.entries]


def test_results_keep_the_order_of_the_requests(served):
    handler = Handler(micro_batch_size=3, parallelism={"preprocess": 2, "inference": 2, "postprocess": 2})
    service = served(handler)

    for _ in range(20):
        assert bodies(service.predict(a_batch(10))) == [b"A%d" % index for index in range(10)]
    assert sorted(handler.sizes[:4]) == [1, 3, 3, 3]


def test_the_size_of_micro_batches_is_an_attribute(served):
    handler = Handler()
    handler.handle.micro_batch_size = 4
    served(handler).predict(a_batch(4))

    assert handler.sizes == [4]


@pytest.mark.parametrize("step", ["preprocess", "inference", "postprocess"])
def test_an_error_in_a_step_fails_the_batch_and_the_next_one_is_served(served, step):
    class Failing(Handler):
        fails = True

    own = getattr(Handler, step)

    def broken(self, data):
        if self.fails:
            raise ValueError("broken")
        return own(self, data)

    setattr(Failing, step, broken)
    handler = Failing(micro_batch_size=1)
    service = served(handler)

    assert service.predict(a_batch(3)).message == "Prediction failed"
    handler.fails = False
    assert bodies(service.predict(a_batch(2))) == [b"A0", b"A1"]


def test_inside_a_step_the_place_of_the_micro_batch_is_known(served):
    places = []

    class Curious(Handler):
        def inference(self, data):
            places.append(self.handle.get_micro_batch_idx())
            return data

    handler = Curious(micro_batch_size=2)
    served(handler).predict(a_batch(5))

    assert sorted(places) == [0, 1, 2]
    assert handler.handle.get_micro_batch_idx() is None


def test_steps_run_at_the_same_time(served):
    both_inside = threading.Barrier(2, timeout=20)

    class Meeting(Handler):
        def inference(self, data):
            both_inside.wait()
            return data

    handler = Meeting(parallelism={"inference": 2})

    assert bodies(served(handler).predict(a_batch(2))) == [b"a0", b"a1"]


def test_the_number_of_threads_can_be_changed(served):
    handler = Handler()
    service = served(handler)
    micro_batching = handler.handle

    micro_batching.parallelism = {"inference": 3}
    assert micro_batching.parallelism == {"inference": 3}
    micro_batching.parallelism["inference"] = 9
    assert micro_batching.parallelism == {"inference": 3}
    assert bodies(service.predict(a_batch(5))) == [b"A%d" % index for index in range(5)]
    micro_batching.parallelism = {"inference": 1}
    assert bodies(service.predict(a_batch(5))) == [b"A%d" % index for index in range(5)]


@pytest.mark.parametrize("parallelism", [{"absent": 1}, {"inference": -1}, {"inference": 0}])
def test_a_number_of_threads_that_cannot_be_is_refused(parallelism):
    with pytest.raises(AssertionError):
        Handler(parallelism=parallelism)
    handler = Handler()
    with pytest.raises(AssertionError):
        handler.handle.parallelism = parallelism
    assert handler.handle.parallelism == {}
    handler.handle.shutdown()


def test_describe_and_explain_requests_are_answered_as_by_other_handlers(served):
    service = served(Handler())

    assert bodies(service.predict(a_batch(1, describe="True"))) == [b"description"]
    assert bodies(service.predict(a_batch(1, explain="True"))) == [b"why a0"]


def test_the_time_of_the_handler_is_a_metric(served, caplog):
    caplog.set_level("INFO")

    served(Handler()).predict(a_batch(1))

    assert caplog.messages[0].startswith("[METRICS]HandlerTime.Milliseconds:")


def test_its_threads_do_not_keep_the_process_alive():
    handler = Handler()

    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    handler.handle.shutdown()


def test_the_context_reaches_the_parent_handler(served):
    handler = Handler()
    service = served(handler)
    service.predict(a_batch(1))

    assert handler.context is service.context
    assert isinstance(handler.context.request_processor[0], RequestProcessor)

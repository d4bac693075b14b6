import asyncio
import threading

import pytest

from ts.async_service import AsyncService
from ts.handler_utils.utils import send_intermediate_predict_response
from ts.metrics.configured_cache import configured_metrics_cache
from ts.service import PredictionException, Service
from ts.torch_handler.request_envelope.json import JSONEnvelope
from ts.torch_handler.request_envelope.kserve import KServeEnvelope


def an_async_service(entry_point) -> AsyncService:
    return AsyncService(Service("m", "/models/m", None, entry_point, None, 1, True, configured_metrics_cache("m"), {}))


def a_batch(request_id: str, body: bytes = b"", content_type: str = "") -> list:
    return [{"requestId": request_id, "headers": [], "parameters": [("body", content_type, body)]}]


def test_overlapping_batches_keep_their_own_requests_and_may_finish_in_any_order():
    finished = []

    async def scenario():
        second_is_done = asyncio.Event()

        async def handle(data, context):
            own = context.get_request_id(0)
            if own == "first":
                await second_is_done.wait()
            context.set_response_header(0, "X-Id", own)
            assert context.metrics.request_ids == {0: own}
            finished.append(own)
            if own == "second":
                second_is_done.set()
            return [own]

        service = an_async_service(handle)
        return await asyncio.gather(service.predict(a_batch("first")), service.predict(a_batch("second")))

    results = asyncio.run(scenario())

    assert finished == ["second", "first"]
    assert [(r.entries[0].body, r.entries[0].headers) for r in results] == [
        (b"first", {"X-Id": "first"}),
        (b"second", {"X-Id": "second"}),
    ]


def test_what_the_handler_keeps_on_the_context_is_shared_by_all_calls():
    async def handle(data, context):
        with context.lock:
            context.seen.append(context.get_request_id(0))
        return [""]

    service = an_async_service(handle)
    service.context.lock = threading.Lock()
    service.context.seen = []

    for request_id in ("a", "b"):
        assert asyncio.run(service.predict(a_batch(request_id))).code == 200

    assert service.context.seen == ["a", "b"]
    assert service.context.request_ids is None


def test_an_exception_becomes_the_outcome():
    async def handle(data, context):
        raise PredictionException("gone", 404)

    result = asyncio.run(an_async_service(handle).predict(a_batch("a")))

    assert (result.code, result.message) == (404, "gone")


def test_intermediate_results_go_out():
    parts = []

    async def handle(data, context):
        send_intermediate_predict_response(["a"], context.request_ids, "m", 200, context)
        return ["b"]

    result = asyncio.run(an_async_service(handle).predict(a_batch("a"), parts.append))

    assert [entry.body for entries in parts for entry in entries] == [b"a"]
    assert result.entries[0].headers == {"ts_stream_next": "false"}


@pytest.mark.parametrize(
    ("envelope", "body"),
    [(JSONEnvelope, b'{"predictions": [1, 2]}'), (KServeEnvelope, b'{\n  "predictions": [\n    1,\n    2\n  ]\n}')],
)
def test_an_envelope_waits_for_the_handler(envelope, body):
    async def handle(data, context):
        await asyncio.sleep(0)
        return data

    service = an_async_service(envelope(handle).handle)

    result = asyncio.run(service.predict(a_batch("a", b'{"instances": [1, 2]}', "application/json")))

    assert (result.code, result.entries[0].body) == (200, body)


def test_a_batch_in_a_format_of_one_request_is_awaited_request_by_request():
    async def handle(data, context):
        await asyncio.sleep(0)
        return [context.get_request_id(0), *data]

    service = an_async_service(KServeEnvelope(handle).handle)
    batch = [*a_batch("a", b'{"instances": [1]}'), *a_batch("b", b'{"instances": [2]}')]

    result = asyncio.run(service.predict(batch))

    assert [b"".join(entry.body.split()) for entry in result.entries] == [
        b'{"predictions":["a",1]}',
        b'{"predictions":["b",2]}',
    ]

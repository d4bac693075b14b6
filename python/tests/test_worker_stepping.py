"""Steps of continuous batching on the worker's side."""

from functools import partial

from sent_frames import Wire

from sconce_worker.batch_answer import BatchAnswer
from sconce_worker.stepping import Steps
from ts.service import Service


def requests_of(*request_ids, headers=()):
    return [{"requestId": name, "headers": list(headers), "parameters": []} for name in request_ids]


def steps_of(handle):
    service = Service("m", "/models/m", None, handle, None, 1)
    service.context.cache = {}
    return Steps(service), service.context


def test_a_request_goes_on_until_its_criterion_says_that_it_is_over():
    def handle(data, context):
        context.stopping_criteria = [lambda said: said == "b"] * len(data)
        return [context.get_request_id(index) for index in range(len(data))]

    steps, _ = steps_of(handle)
    wire = Wire()

    steps.predict(partial(BatchAnswer, wire), 1, requests_of("a", "b"), [])

    assert wire.lasts() == [[False, True]]


def test_the_next_step_is_told_who_has_left_and_may_clean_up_before_it_is_done_for_it():
    seen = []

    def handle(data, context):
        seen.append((list(context.cancelled_request_ids), sorted(context.cache)))
        for request_id in context.cancelled_request_ids:
            if request_id == "b":
                del context.cache[request_id]
        return ["x"] * len(data)

    steps, context = steps_of(handle)
    context.cache.update(a=1, b=2, c=3)

    steps.cancel(["a", "b", "unknown"])
    steps.predict(partial(BatchAnswer, Wire()), 1, requests_of("c"), [])
    steps.predict(partial(BatchAnswer, Wire()), 2, requests_of("c"), [])

    assert seen == [(["a", "b", "unknown"], ["a", "b", "c"]), ([], ["c"])]


def test_who_has_left_is_forgotten_after_a_step_that_failed_too():
    def handle(data, context):
        raise ValueError("asked to")

    steps, context = steps_of(handle)
    context.cache.update(a=1)

    steps.cancel(["a"])
    steps.predict(partial(BatchAnswer, lambda frame: None), 1, requests_of("c"), [])

    assert context.cache == {}
    assert context.cancelled_request_ids == ()


def test_a_cache_of_another_kind_is_left_alone():
    steps, context = steps_of(lambda data, context: ["x"])
    context.cache = [1, 2]

    steps.cancel(["a"])
    steps.predict(partial(BatchAnswer, Wire()), 1, requests_of("c"), [])

    assert context.cache == [1, 2]


def test_a_description_ends_at_once_and_leaves_the_criteria_of_the_others():
    steps, context = steps_of(lambda data, context: ["a description"])
    criteria = [lambda said: False]
    context.stopping_criteria = criteria
    wire = Wire()

    steps.predict(partial(BatchAnswer, wire), 1, requests_of("d", headers=[("describe", "True")]), [])

    assert wire.lasts() == [[True]]
    assert context.stopping_criteria is criteria


def test_too_few_criteria_fail_the_step_and_not_the_worker():
    def handle(data, context):
        context.stopping_criteria = []
        context.stopping_criteria.append(lambda said: False)
        return ["x"] * len(data)

    steps, _ = steps_of(handle)
    wire = Wire()

    steps.predict(partial(BatchAnswer, wire), 1, requests_of("a", "b"), [])

    assert wire.frames == [(0x84, 1, 503)]

"""Steps of continuous batching: what a handler's calls have to do with one another."""

from collections.abc import MutableMapping


class Steps:
    """Calls a handler once per step, with all requests that are active.

    A request whose client has gone takes no part in the next step, whose `context.cancelled_request_ids` names it.
    After that step its entry in `context.cache` is removed, if the handler keeps one there under the request's id and
    has left it: a handler that knows nothing of all this doesn't collect what nobody will finish.
    """

    def __init__(self, service) -> None:
        self._service = service
        self._cancelled: list = []

    def cancel(self, request_ids: list) -> None:
        self._cancelled += request_ids

    def predict(self, answer_to, batch_id: int, requests: list, late: list) -> None:
        """Runs one step; a describe request is a step of its own, which has no say on how long the others go on."""
        context = self._service.context
        is_describe = ("describe", "True") in requests[0]["headers"]
        answer = answer_to(batch_id, len(requests), not is_describe)
        criteria = context.stopping_criteria
        if is_describe:
            context.stopping_criteria = None
        gone, self._cancelled = self._cancelled, []
        if gone:
            context.cancelled_request_ids = gone
        self._service.predict(requests, answer.send_parts, answer.end, late)
        if gone:
            context.cancelled_request_ids = ()
            _forget(getattr(context, "cache", None), gone)
        if is_describe:
            context.stopping_criteria = criteria


def _forget(cache, request_ids: list) -> None:
    if isinstance(cache, MutableMapping):
        for request_id in request_ids:
            cache.pop(request_id, None)

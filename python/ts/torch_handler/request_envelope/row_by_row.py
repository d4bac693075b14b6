"""Envelopes whose format holds one request: a batch is handled request by request."""

import contextlib
import inspect

from ts.torch_handler.request_envelope.base import BaseEnvelope


class RowByRowEnvelope(BaseEnvelope):
    """Calls the handler once per request of a batch, each time with a context that knows that request only, as index 0.

    Subclasses parse and format a batch of one.
    """

    def handle(self, data, context):
        if not data or len(data) == 1:
            return super().handle(data, context)
        if inspect.iscoroutinefunction(self._handle_fn):
            return self._handle_rows_later(data, context)
        answers = []
        for index, row in enumerate(data):
            with _only(context, index):
                results = super().handle([row], context)
            if not isinstance(results, list):
                return results
            answers.extend(results)
        return answers

    async def _handle_rows_later(self, data, context):
        answers = []
        for index, row in enumerate(data):
            with _only(context, index):
                results = await super().handle([row], context)
            if not isinstance(results, list):
                return results
            answers.extend(results)
        return answers

    def _is_explain(self) -> bool:
        return bool(self.context) and self.context.get_request_header(0, "explain") == "True"


def request_body(row: dict):
    """What a request brings: its `data`, or its `body` where that is missing or empty."""
    return row.get("data") or row.get("body")


@contextlib.contextmanager
def _only(context, index: int):
    """Narrows the context to one request of the batch while the block runs."""
    ids, processors = context.request_ids, context.request_processor
    context.request_ids = {0: ids[index]}
    context.request_processor = [processors[index]]
    try:
        yield
    finally:
        context.request_ids = ids
        context.request_processor = processors

"""Models whose handler is a coroutine function (yaml `asyncCommunication: true`)."""

import copy
import inspect
import time
from typing import Callable, Optional

from ts.protocol.predict_response import PredictResult
from ts.service import Service, close_batch, failed_batch, open_batch, record_time

__all__ = ["AsyncService"]


class AsyncService:
    """A Service whose predictions may overlap on one event loop.

    Each call has a shallow copy of the model's Context and of its metrics with the request fields of its own batch, so
    that engines, locks and caches that the handler keeps on the context are the same objects in every call.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    @property
    def context(self):
        return self.service.context

    async def predict(self, batch: list, send_parts: Optional[Callable[[list], object]] = None) -> PredictResult:
        """As `Service.predict`, for a handler that gives an awaitable; a plain list is taken as well."""
        context = copy.copy(self.service.context)
        context.metrics = copy.copy(context.metrics)
        data = open_batch(context, batch, send_parts)
        started = time.perf_counter()
        try:
            ret = self.service.entry_point(data, context)
            if inspect.isawaitable(ret):
                ret = await ret
        except Exception as error:
            return self.service.told(failed_batch(error, context.request_ids))
        record_time(context, ret, len(data), (time.perf_counter() - started) * 1000)
        return self.service.told(close_batch(context, ret, len(data)))

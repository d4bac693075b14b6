"""Times a handler's calls, and its steps when the model's yaml asks for it with `handler: {profile: true}`."""

import functools
import sys
import time


def timed(func):
    """Decorator for a handler's method: adds the metric `ts_handler_{name}` (ms) to each call while profiling is on."""

    @functools.wraps(func)
    def call(self, *args, **kwargs):
        context = getattr(self, "context", None)
        if not context or not _is_profiled(context):
            return func(self, *args, **kwargs)

        stop = _start_cuda_timer() or _start_timer()
        result = func(self, *args, **kwargs)
        context.metrics.add_time("ts_handler_" + func.__name__, stop())
        return result

    return call


def add_handler_time(context, started: float) -> None:
    """Adds the metric `HandlerTime` (ms): what has gone since `time.perf_counter()` gave `started`."""
    context.metrics.add_time("HandlerTime", round((time.perf_counter() - started) * 1000, 2), None, "ms")


def _is_profiled(context) -> bool:
    settings = (context.model_yaml_config or {}).get("handler")
    return isinstance(settings, dict) and bool(settings.get("profile"))


def _start_timer():
    start = time.perf_counter()
    return lambda: (time.perf_counter() - start) * 1000


def _start_cuda_timer():
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()

    def stop() -> float:
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end)

    return stop

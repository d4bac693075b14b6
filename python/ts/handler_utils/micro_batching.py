"""Splits a batch into micro-batches that pass a handler's three steps like an assembly line.

A handler puts `self.handle = MicroBatching(self)` into its constructor. Each step has threads of its own, so that one
micro-batch is preprocessed while the model works on another. The threads are daemons; the result of a batch is put
together in order, whatever order its micro-batches finish in.
"""

import os
import queue
import threading
import time
from typing import Any, Callable, Optional

from ts.handler_utils.timer import add_handler_time

HANDLER_METHODS = ["preprocess", "inference", "postprocess"]


class _Pending:
    """One batch on its way: its results so far, and the first error of any of its micro-batches."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._results: list = [None] * count
        self._missing = count
        self._settled = threading.Event()
        self.error: Optional[BaseException] = None
        if count == 0:
            self._settled.set()

    def finish(self, index: int, result: Any) -> None:
        with self._lock:
            self._results[index] = result
            self._missing -= 1
            if self._missing == 0:
                self._settled.set()

    def fail(self, error: BaseException) -> None:
        with self._lock:
            self.error = self.error or error
            self._settled.set()

    def wait(self) -> list:
        # Bounded by the server's response timeout: a step that never returns is the handler's own.
        self._settled.wait()
        if self.error is not None:
            raise self.error
        return self._results


class _Step:
    """The threads of one method and the queue that they take micro-batches from; `forward` gets the results."""

    def __init__(self, method: Callable, forward: Callable, local: threading.local) -> None:
        self._method = method
        self._forward = forward
        self._local = local
        self._waiting: queue.SimpleQueue = queue.SimpleQueue()
        self.threads: list = []

    def put(self, pending: _Pending, index: int, data: Any) -> None:
        self._waiting.put((pending, index, data))

    def resize(self, count: int) -> None:
        """Starts threads, or lets the surplus ones end after the micro-batch that they are at."""
        while len(self.threads) < count:
            thread = threading.Thread(target=self._work, daemon=True)
            self.threads.append(thread)
            thread.start()
        for _ in range(len(self.threads) - count):
            self._waiting.put(None)
            self.threads.pop()

    def _work(self) -> None:
        while True:
            item = self._waiting.get()
            if item is None:
                return
            pending, index, data = item
            if pending.error is not None:
                continue
            self._local.micro_batch_idx = index
            try:
                result = self._method(data)
            except BaseException as error:  # also SystemExit: the caller is who it is meant for
                pending.fail(error)
            else:
                self._forward(pending, index, result)
            del item, pending, data


class MicroBatching:
    """Callable in the place of a handler's `handle`; `parallelism` gives the number of threads per step (1 each)."""

    def __init__(self, parent_handler, micro_batch_size: int = 1, parallelism: Optional[dict] = None) -> None:
        self.handler = parent_handler
        self.micro_batch_size = micro_batch_size
        self._parallelism: dict = {}
        self._local = threading.local()
        self._steps: dict = {}
        forward: Callable = _Pending.finish
        for name in reversed(HANDLER_METHODS):
            self._steps[name] = _Step(getattr(parent_handler, name), forward, self._local)
            forward = self._steps[name].put
        self.parallelism = {} if parallelism is None else parallelism

    @property
    def parallelism(self) -> dict:
        """The numbers of threads that were asked for, as a copy."""
        return dict(self._parallelism)

    @parallelism.setter
    def parallelism(self, parallelism: dict) -> None:
        for name, count in parallelism.items():
            if name not in HANDLER_METHODS:
                raise AssertionError(f"{name!r} is not a step: use {', '.join(HANDLER_METHODS)}")
            if count < 1:
                raise AssertionError(f"{name} needs at least one thread, not {count}")
        self._parallelism.update(parallelism)
        for name, step in self._steps.items():
            step.resize(self._parallelism.get(name, 1))

    def shutdown(self) -> None:
        """Lets all threads end; further batches would wait for ever."""
        for step in self._steps.values():
            step.resize(0)

    def get_micro_batch_idx(self) -> Optional[int]:
        """Inside a step: the micro-batch's place in its batch. Elsewhere None."""
        return getattr(self._local, "micro_batch_idx", None)

    def handle(self, data) -> list:
        """The postprocessed results of all requests, in order; raises what a step raised."""
        size = self.micro_batch_size
        slices = [data[start : start + size] for start in range(0, len(data), size)]
        pending = _Pending(len(slices))
        for index, part in enumerate(slices):
            self._steps[HANDLER_METHODS[0]].put(pending, index, part)
        return [item for part in pending.wait() for item in part]

    def __call__(self, data, context):
        started = time.perf_counter()
        handler = self.handler
        handler.context = context
        if os.environ.get("ENABLE_TORCH_PROFILER"):
            output, _ = handler._infer_with_profiler(data=data)
        elif handler._is_describe():
            output = [handler.describe_handle()]
        elif handler._is_explain():
            output = handler.explain_handle(handler.preprocess(data), data)
        else:
            output = self.handle(data)
        add_handler_time(context, started)
        return output

"""Prints how long a function takes."""

import functools
import time


def timeit(func):
    """Decorator: prints the wall-clock and the CPU seconds of each call."""

    @functools.wraps(func)
    def timed_call(*args, **kwargs):
        wall, cpu = time.perf_counter(), time.process_time()
        result = func(*args, **kwargs)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"func: {func.__name__!r} took a total of {wall:2.4f} sec to run and {cpu:2.4f} sec of CPU time")
        return result

    return timed_call

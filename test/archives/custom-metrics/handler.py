import json

from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes


def initialised(context):
    context.metrics.add_metric_to_cache("LoadedModels", "count", ["Site"], MetricTypes.GAUGE)


def refused(call) -> str:
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "taken"


def measure(data, context):
    """Writes a metric of every kind, and answers with what the API says to wrong ones."""
    if data is None:
        return initialised(context)
    metrics = context.metrics
    site = [Dimension("Site", "loft")]
    metrics.add_counter("Answers", 2)
    metrics.add_counter("Answers", 3, idx=0)
    metrics.add_time("ThinkingTime", 12.5)
    metrics.add_time("SlowThinking", 2, unit="s")
    metrics.add_size("Weight", 1.5)
    metrics.add_size("SmallWeight", 64, unit="kB")
    metrics.add_percent("Confidence", 99.5, dimensions=site)
    metrics.add_error("Regrets", 1)
    metrics.add_metric("Temperature", 20.25, "celsius", dimensions=site, metric_type=MetricTypes.GAUGE)
    metrics.add_metric("Spread", 0.125, "ms", metric_type=MetricTypes.HISTOGRAM)
    metrics.add_metric("NotListed", 1, "count")
    metrics.add_counter("Answers", -1)
    metrics.get_metric("LoadedModels", MetricTypes.GAUGE).add_or_update(2, ["cellar"])
    told = {
        "unit of a time": refused(lambda: metrics.add_time("T", 1, unit="h")),
        "unit of a size": refused(lambda: metrics.add_size("S", 1, unit="TB")),
        "no such metric": refused(lambda: metrics.get_metric("Nothing")),
        "another type": refused(lambda: metrics.get_metric("Answers", MetricTypes.GAUGE)),
        "name of a metric": refused(lambda: metrics.add_metric(7, 1, "count")),
        "negative counter": refused(lambda: metrics.add_counter("Answers", -1)),
    }
    return [json.dumps(told) for _ in data]

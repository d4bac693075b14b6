"""The kinds of metric."""

import enum


class MetricTypes(enum.Enum):
    """Counters only grow, gauges move both ways, histograms count observations in buckets."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"

"""JSON of the old metric objects."""

import json

from ts.metrics.dimension import Dimension
from ts.metrics.metric import Metric


class MetricEncoder(json.JSONEncoder):
    """Writes Metric and Dimension by their `to_dict`."""

    def default(self, o):
        return o.to_dict() if isinstance(o, (Metric, Dimension)) else super().default(o)

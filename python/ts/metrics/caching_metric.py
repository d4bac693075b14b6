"""A metric that prints a line for each value; sums and buckets are made by the server that reads the lines."""

import logging
import socket
import time
from typing import Optional

from ts.metrics.metric_abstract import MetricAbstract
from ts.metrics.metric_type_enum import MetricTypes

logger = logging.getLogger(__name__)


class CachingMetric(MetricAbstract):
    """Prints `[METRICS]{name}.{unit}:{value}|#{dimensions}|#type:{TYPE}|#hostname:{host},{epoch s}[,{request ids}]`."""

    def __init__(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Optional[list] = None,
        metric_type: MetricTypes = MetricTypes.COUNTER,
    ):
        super().__init__(metric_name, unit, dimension_names, metric_type)
        self._hostname = socket.gethostname()

    def add_or_update(self, value, dimension_values=(), request_id: str = ""):
        """Prints one value. A negative counter and a wrong number of dimension values are logged, not raised."""
        dimensions = ""
        try:
            dimensions = self._dimension_text(dimension_values)
            if self.metric_type is MetricTypes.COUNTER and value < 0:
                raise ValueError("Counter metric update value cannot be negative")
        except ValueError as error:
            problem = (
                f"Failed to update metric with name:{self.metric_name} and dimensions: {dimensions} "
                f"with value: {value}: {error}"
            )
            logger.error("[METRICS]%s", problem)
            # The line above is taken out of the model's log by the reader of metrics; this one stays in it.
            logger.error(problem)
        else:
            self.emit_metrics(request_id, value, dimensions)

    def update(self, value, request_id: str = "", dimensions=()):
        """Old form: takes Dimension objects, which replace the metric's own dimension names."""
        logger.warning("Overriding existing dimensions")
        self.dimension_names = [dimension.name for dimension in dimensions]
        self.add_or_update(value, [dimension.value for dimension in dimensions], request_id)

    def emit_metrics(self, request_id: str, value, dimension_string: str) -> None:
        """Prints the line; `request_id` may be several ids joined by commas, or empty."""
        line = (
            f"[METRICS]{self.metric_name}.{self.unit}:{value}|#{dimension_string}|#type:{self.metric_type.name}"
            f"|#hostname:{self._hostname},{int(time.time())}"
        )
        logger.info("%s,%s" if request_id else "%s%s", line, request_id or "")

    def _dimension_text(self, values) -> str:
        if values is None or len(values) != len(self.dimension_names):
            raise ValueError(f"Dimension values: {values} should correspond to Dimension names: {self.dimension_names}")
        return ",".join([f"{name}:{value}" for name, value in zip(self.dimension_names, values)])

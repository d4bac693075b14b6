"""What every metric has."""

import abc
from typing import Optional

from ts.metrics.metric_type_enum import MetricTypes
from ts.metrics.unit import UNIT_NAMES


class MetricAbstract(abc.ABC):
    """A named metric with a unit, a type and the names of its dimensions, in order."""

    def __init__(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Optional[list] = None,
        metric_type: MetricTypes = MetricTypes.COUNTER,
    ):
        self.metric_name = metric_name
        self.unit = UNIT_NAMES.get(unit, unit)
        self.dimension_names = dimension_names or []
        self.metric_type = metric_type

    @abc.abstractmethod
    def add_or_update(self, value, dimension_values: list, request_id: str = ""):
        """Reports one value; the dimension values stand in the order of the names."""

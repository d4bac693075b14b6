"""The calls by which handlers report metrics, apart from where the metrics were declared."""

import abc
import os
from typing import Optional

import ts.metrics.metric_cache_errors as merrors
from ts.metrics.dimension import Dimension
from ts.metrics.metric_abstract import MetricAbstract
from ts.metrics.metric_type_enum import MetricTypes

TIME_UNITS = ["ms", "s"]
SIZE_UNITS = ["MB", "kB", "GB", "B"]


class MetricCacheAbstract(abc.ABC):
    """Metrics by type and name; one that isn't declared is created by its first report.

    `request_ids` is the batch's {index: id} dict, or one id as text while the model loads. An existing metric keeps its
    own unit, whatever unit a later call names.
    """

    def __init__(self, config_file_path):
        self.cache = {}
        self.store = []
        self.request_ids = None
        self.model_name = None
        self.config_file_path = config_file_path
        try:
            os.path.exists(config_file_path)
        except TypeError as error:
            raise merrors.MetricsCacheTypeError(f"Error loading {config_file_path} file: {error}") from error

    def set_request_ids(self, request_ids) -> None:
        self.request_ids = request_ids

    def add_metric(self, name, value, unit, idx=None, dimensions=(), metric_type=MetricTypes.COUNTER) -> None:
        """Reports a value of any unit and type."""
        self._report(name, value, unit, self._get_req(idx), dimensions, metric_type)

    def add_counter(self, name, value, idx=None, dimensions=()) -> None:
        """Adds to a counter."""
        self._report(name, value, "count", self._get_req(idx), dimensions, MetricTypes.COUNTER)

    def add_time(self, name, value, idx=None, unit="ms", dimensions=(), metric_type=MetricTypes.GAUGE) -> None:
        """Reports a duration in ms or s; another unit raises MetricsCacheValueError."""
        if unit not in TIME_UNITS:
            raise merrors.MetricsCacheValueError(f"the unit for a timed metric should be one of {TIME_UNITS}")
        self._report(name, value, unit, self._get_req(idx), dimensions, metric_type)

    def add_size(self, name, value, idx=None, unit="MB", dimensions=(), metric_type=MetricTypes.GAUGE) -> None:
        """Reports a size in MB, kB, GB or B; another unit raises ValueError."""
        if unit not in SIZE_UNITS:
            raise ValueError("The unit for size based metric is one of ['MB','kB', 'GB', 'B']")
        self._report(name, value, unit, self._get_req(idx), dimensions, metric_type)

    def add_percent(self, name, value, idx=None, dimensions=(), metric_type=MetricTypes.GAUGE) -> None:
        """Reports a percentage."""
        self._report(name, value, "percent", self._get_req(idx), dimensions, metric_type)

    def add_error(self, name, value, dimensions=()) -> None:
        """Counts an error; it belongs to no request."""
        self._report(name, value, "", None, dimensions, MetricTypes.COUNTER)

    @abc.abstractmethod
    def initialize_cache(self) -> None:
        """Creates the declared metrics."""

    @abc.abstractmethod
    def get_metric(self, metric_name: str, metric_type: MetricTypes = MetricTypes.COUNTER) -> MetricAbstract:
        """The metric of that type and name; raises MetricsCacheKeyError when there is none."""

    @abc.abstractmethod
    def add_metric_to_cache(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Optional[list] = None,
        metric_type: MetricTypes = MetricTypes.COUNTER,
    ) -> MetricAbstract:
        """Creates a metric; an equal one is replaced."""

    def _report(self, name, value, unit, request_id, dimensions, metric_type) -> None:
        names = [dimension.name for dimension in dimensions]
        values = [dimension.value for dimension in dimensions]
        if request_id is not None and "ModelName" not in names:
            names.append("ModelName")
            values.append(self.model_name)
        if "Level" not in names:
            names.append("Level")
            values.append("Error" if request_id is None else "Model")
        self._get_or_add_metric(name, unit, names, metric_type).add_or_update(value, values, request_id)

    def _get_or_add_metric(self, name, unit, dimension_names, metric_type) -> MetricAbstract:
        try:
            return self.get_metric(name, metric_type)
        except merrors.MetricsCacheKeyError:
            return self.add_metric_to_cache(
                metric_name=name, unit=unit, dimension_names=dimension_names, metric_type=metric_type
            )

    def _get_req(self, idx):
        """One request's id where the index is known, else all ids of the batch joined by commas."""
        if not isinstance(self.request_ids, dict):
            return self.request_ids
        if idx is not None and idx in self.request_ids:
            return self.request_ids[idx]
        return ",".join(self.request_ids.values())

    def _add_default_dims(self, idx, dimensions) -> list:
        """Old form of what a report adds to its dimensions; the list given stays as it is."""
        names = [dimension.name for dimension in dimensions]
        added = []
        if idx is not None and "ModelName" not in names:
            added.append(Dimension("ModelName", self.model_name))
        if "Level" not in names:
            added.append(Dimension("Level", "Error" if idx is None else "Model"))
        return [*dimensions, *added]

    @staticmethod
    def _check_type(variable, expected_type, helper_text) -> None:
        if not isinstance(variable, expected_type):
            raise merrors.MetricsCacheTypeError(helper_text)

"""Old form of the metrics cache; test contexts of handlers still use it."""

from ts.metrics.dimension import Dimension
from ts.metrics.metric import Metric

TIME_UNITS = ["ms", "s"]
SIZE_UNITS = ["MB", "kB", "GB", "B"]


class MetricsStore:
    """Deprecated: prints a line per report and keeps each metric in `store` and `cache`."""

    def __init__(self, request_ids, model_name):
        self.store = []
        self.request_ids = request_ids
        self.model_name = model_name
        self.cache = {}

    def add_counter(self, name, value, idx=None, dimensions=None) -> None:
        """Adds to a counter."""
        self._add_or_update(name, value, self._get_req(idx), "count", "counter", dimensions)

    def add_time(self, name, value, idx=None, unit="ms", dimensions=None) -> None:
        """Reports a duration in ms or s; another unit raises ValueError."""
        if unit not in TIME_UNITS:
            raise ValueError(f"the unit for a timed metric should be one of {TIME_UNITS}")
        self._add_or_update(name, value, self._get_req(idx), unit, None, dimensions)

    def add_size(self, name, value, idx=None, unit="MB", dimensions=None) -> None:
        """Reports a size in MB, kB, GB or B; another unit raises ValueError."""
        if unit not in SIZE_UNITS:
            raise ValueError("The unit for size based metric is one of ['MB','kB', 'GB', 'B']")
        self._add_or_update(name, value, self._get_req(idx), unit, None, dimensions)

    def add_percent(self, name, value, idx=None, dimensions=None) -> None:
        """Reports a percentage."""
        self._add_or_update(name, value, self._get_req(idx), "percent", None, dimensions)

    def add_error(self, name, value, dimensions=None) -> None:
        """Counts an error; it belongs to no request."""
        self._add_or_update(name, value, None, "", None, dimensions)

    def add_metric(self, name, value, unit, idx=None, dimensions=None) -> None:
        """Reports a value of any unit."""
        self._add_or_update(name, value, self._get_req(idx), unit, None, dimensions)

    def _add_or_update(self, name, value, req_id, unit, metrics_method=None, dimensions=None) -> None:
        if dimensions is not None and not isinstance(dimensions, list):
            raise ValueError("Please provide a list of dimensions")
        if req_id is None:
            own = [Dimension("Level", "Error")]
        else:
            own = [Dimension("ModelName", self.model_name), Dimension("Level", "Model")]
        dimensions = [*(dimensions or ()), *own]

        key = "-".join([name, unit, str(req_id), *map(str, dimensions)])
        metric = self.cache.get(key)
        if metric is None:
            metric = Metric(name, value, unit, dimensions, req_id, metrics_method)
            self.store.append(metric)
            self.cache[key] = metric
        metric.update(value)

    def _get_req(self, idx):
        if not isinstance(self.request_ids, dict):
            return self.request_ids
        if idx is not None and idx in self.request_ids:
            return self.request_ids[idx]
        return ",".join(self.request_ids.values())

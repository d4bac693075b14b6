"""The metrics that a metrics yaml declares, and those that handlers add."""

import logging
from typing import Any, Optional

import ts.metrics.metric_cache_errors as merrors
from ts.metrics.caching_metric import CachingMetric
from ts.metrics.metric_cache_abstract import MetricCacheAbstract
from ts.metrics.metric_type_enum import MetricTypes

logger = logging.getLogger(__name__)


class MetricsCacheYamlImpl(MetricCacheAbstract):
    """Reads the file when it is built (needs PyYAML); `initialize_cache` then creates the declared metrics."""

    def __init__(self, config_file_path):
        super().__init__(config_file_path=config_file_path)
        self._parsed_file = self._parse_yaml_file(config_file_path)

    @classmethod
    def of_parsed(cls, parsed: Any, model_name: Optional[str] = None) -> "MetricsCacheYamlImpl":
        """A cache of what a metrics yaml holds, without the file; `initialize_cache` is still to be called."""
        cache = cls.__new__(cls)
        MetricCacheAbstract.__init__(cache, "")
        cache.model_name = model_name
        cache._parsed_file = parsed
        return cache

    @property
    def declares_model_metrics(self) -> bool:
        """Whether the file has a `model_metrics` section with something in it."""
        return isinstance(self._parsed_file, dict) and bool(self._parsed_file.get("model_metrics"))

    def initialize_cache(self) -> None:
        """Creates the metrics of `model_metrics`; raises an error of metric_cache_errors for a section it can't use."""
        section = self._parse_metrics_section("model_metrics")
        if not section:
            raise merrors.MetricsCacheValueError("Missing `model_metrics` specification")
        for type_name, specifications in section.items():
            try:
                metric_type = MetricTypes(type_name)
            except ValueError as error:
                raise merrors.MetricsCacheKeyError(f"Invalid metric type: {error}") from error
            for specification in specifications:
                self._add_declared(specification, metric_type)

    def add_metric_to_cache(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Optional[list] = None,
        metric_type: MetricTypes = MetricTypes.COUNTER,
    ) -> CachingMetric:
        """Creates a metric; an equal one is replaced with a warning. Raises MetricsCacheTypeError."""
        self._check_type(metric_name, str, "`metric_name` must be a str")
        self._check_type(unit, str, "`unit` must be a str")
        self._check_type(metric_type, MetricTypes, "`metric_type` must be a MetricTypes enum")
        if dimension_names:
            self._check_type(dimension_names, list, "`dimension_names` should be a list of dimension name strings")
        metrics = self.cache.setdefault(metric_type, {})
        if metric_name in metrics:
            logger.warning("Overriding existing key %s:%s", metric_type, metric_name)
        metric = CachingMetric(metric_name, unit, list(dimension_names or ()), metric_type)
        metrics[metric_name] = metric
        return metric

    def get_metric(self, metric_name: str, metric_type: MetricTypes = MetricTypes.COUNTER) -> CachingMetric:
        """The metric of that type and name; raises MetricsCacheKeyError when there is none."""
        self._check_type(metric_name, str, "`metric_name` must be a str")
        self._check_type(metric_type, MetricTypes, "`metric_type` must be a MetricTypes enum")
        try:
            return self.cache[metric_type][metric_name]
        except KeyError:
            raise merrors.MetricsCacheKeyError(
                f"Metric of type '{metric_type}' and name '{metric_name}' doesn't exist"
            ) from None

    def cache_keys(self) -> list:
        """`type:name` of every metric."""
        return [f"{metric_type.value}:{name}" for metric_type, metrics in self.cache.items() for name in metrics]

    def _parse_yaml_file(self, path) -> Any:
        if not path:
            raise merrors.MetricsCacheTypeError("Config file not initialized")
        import yaml

        try:
            with open(path, encoding="utf-8") as file:
                parsed = yaml.safe_load(file)
        except yaml.YAMLError as error:
            raise merrors.MetricsCachePyYamlError(f"Error parsing file {path}: {error}") from error
        except OSError as error:
            raise merrors.MetricsCacheIOError(f"Error reading file {path}: {error}") from error
        except UnicodeDecodeError as error:
            raise merrors.GeneralMetricsCacheError(f"General error found in file {path}: {error}") from error
        logger.info("Successfully loaded %s.", path)
        return parsed

    def _parse_metrics_section(self, key: str = "model_metrics") -> Any:
        if not isinstance(self._parsed_file, dict) or key not in self._parsed_file:
            raise merrors.MetricsCacheKeyError(f"'{key}' key not found in yaml file: '{key}'")
        return self._parsed_file[key]

    def _add_declared(self, specification: dict, metric_type: MetricTypes) -> None:
        try:
            name, unit, dimensions = (specification[key] for key in ("name", "unit", "dimensions"))
        except KeyError as error:
            raise merrors.MetricsCacheKeyError(f"Key not found in cache spec: {error}") from error
        self.add_metric_to_cache(name, unit, dimensions, metric_type)

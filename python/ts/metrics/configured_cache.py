"""The metrics cache that a worker starts with."""

import importlib
import logging
from typing import Optional

from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl

logger = logging.getLogger(__name__)

DEFAULT_METRICS = {
    "model_metrics": {
        "gauge": [
            {"name": "HandlerTime", "unit": "ms", "dimensions": ["ModelName", "Level"]},
            {"name": "PredictionTime", "unit": "ms", "dimensions": ["ModelName", "Level"]},
        ]
    }
}


def configured_metrics_cache(model_name: str, config_path: Optional[str] = None) -> MetricsCacheYamlImpl:
    """The metrics of the yaml file, or the two defaults without a file, without PyYAML or without `model_metrics`.

    Raises an error of metric_cache_errors for a file that can't be read or whose metrics can't be used.
    """
    cache = _declared(config_path)
    if cache is None:
        cache = MetricsCacheYamlImpl.of_parsed(DEFAULT_METRICS)
    cache.model_name = model_name
    cache.initialize_cache()
    return cache


def _declared(config_path: Optional[str]) -> Optional[MetricsCacheYamlImpl]:
    if not config_path:
        return None
    try:
        importlib.import_module("yaml")
    except ImportError:
        logger.warning("PyYAML is not installed: %s is not read, default metrics are used.", config_path)
        return None
    cache = MetricsCacheYamlImpl(config_path)
    if cache.declares_model_metrics:
        return cache
    logger.warning("%s has no model_metrics, default metrics are used.", config_path)
    return None

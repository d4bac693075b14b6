"""What can go wrong with a metrics file or with a call that adds a metric."""


class GeneralMetricsCacheError(Exception):
    """Anything that has no class of its own below."""

    def __init__(self, message):
        super().__init__(f"Generic error: {message}")


class MetricsCacheIOError(IOError):
    """The metrics file can't be read."""

    def __init__(self, message):
        super().__init__(f"Error reading file: {message}")


class MetricsCacheTypeError(TypeError):
    """An argument has the wrong type."""

    def __init__(self, message):
        super().__init__(f"{message}")


class MetricsCacheValueError(ValueError):
    """An argument has a value that isn't allowed."""

    def __init__(self, message):
        super().__init__(f"{message}")


class MetricsCacheKeyError(KeyError):
    """A metric, or a key of the metrics file, isn't there."""

    def __init__(self, message):
        super().__init__(f"{message}")


def _yaml_error_class() -> type:
    # The class derives from PyYAML's error, so it is made only when somebody names it: PyYAML may be missing.
    try:
        from yaml import YAMLError
    except ImportError:
        YAMLError = Exception

    class MetricsCachePyYamlError(YAMLError):
        """The metrics file isn't yaml."""

        def __init__(self, message):
            super().__init__(f"Error parsing file: {message}")

    MetricsCachePyYamlError.__qualname__ = "MetricsCachePyYamlError"
    return MetricsCachePyYamlError


def __getattr__(name: str):
    if name != "MetricsCachePyYamlError":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, _yaml_error_class())

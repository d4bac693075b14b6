import logging
import re
import socket
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

import ts.metrics.metric_cache_errors as merrors
from ts.metrics.caching_metric import CachingMetric
from ts.metrics.configured_cache import configured_metrics_cache
from ts.metrics.dimension import Dimension
from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
from ts.metrics.metric_type_enum import MetricTypes
from ts.metrics.process_memory_metric import check_process_mem_usage, get_cpu_usage
from ts.metrics.unit import Units

NOW = 1_795_489_118
PYTHON_ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _fixed_host_and_clock(monkeypatch, caplog):
    monkeypatch.setattr(socket, "gethostname", lambda: "vm")
    monkeypatch.setattr(time, "time", lambda: NOW + 0.7)
    caplog.set_level(logging.INFO)


@pytest.fixture
def metrics():
    cache = configured_metrics_cache("m")
    cache.set_request_ids({0: "r0", 1: "r1"})
    return cache


TAIL = f"|#hostname:vm,{NOW}"
MODEL = "|#ModelName:m,Level:Model"


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (lambda m: m.add_counter("c", 1), f"c.Count:1{MODEL}|#type:COUNTER{TAIL},r0,r1"),
        (lambda m: m.add_counter("c", 1, 1), f"c.Count:1{MODEL}|#type:COUNTER{TAIL},r1"),
        (lambda m: m.add_counter("c", 1, 7), f"c.Count:1{MODEL}|#type:COUNTER{TAIL},r0,r1"),
        (lambda m: m.add_time("t", 0.6), f"t.Milliseconds:0.6{MODEL}|#type:GAUGE{TAIL},r0,r1"),
        (lambda m: m.add_time("t", 2, 0, "s"), f"t.Seconds:2{MODEL}|#type:GAUGE{TAIL},r0"),
        (
            lambda m: m.add_time("PredictionTime", 2, None, "s"),
            f"PredictionTime.Milliseconds:2{MODEL}|#type:GAUGE{TAIL},r0,r1",
        ),
        (lambda m: m.add_size("s", 3, 0), f"s.Megabytes:3{MODEL}|#type:GAUGE{TAIL},r0"),
        (lambda m: m.add_size("s", 3, 0, "kB"), f"s.Kilobytes:3{MODEL}|#type:GAUGE{TAIL},r0"),
        (lambda m: m.add_size("s", 3, 0, "GB"), f"s.Gigabytes:3{MODEL}|#type:GAUGE{TAIL},r0"),
        (lambda m: m.add_size("s", 3, 0, "B"), f"s.Bytes:3{MODEL}|#type:GAUGE{TAIL},r0"),
        (lambda m: m.add_percent("p", 50.5, 0), f"p.Percent:50.5{MODEL}|#type:GAUGE{TAIL},r0"),
        (lambda m: m.add_error("e1", 1), f"e1.unit:1|#Level:Error|#type:COUNTER{TAIL}"),
        (lambda m: m.add_metric("g", 1e20, "apples", 0), f"g.apples:1e+20{MODEL}|#type:COUNTER{TAIL},r0"),
        (
            lambda m: m.add_metric("h", 7, "ms", 0, metric_type=MetricTypes.HISTOGRAM),
            f"h.Milliseconds:7{MODEL}|#type:HISTOGRAM{TAIL},r0",
        ),
        (
            lambda m: m.add_counter("d", 1, 0, [Dimension("region", "eu"), Dimension("Level", "Mine")]),
            f"d.Count:1|#region:eu,Level:Mine,ModelName:m|#type:COUNTER{TAIL},r0",
        ),
        (
            lambda m: m.add_error("e2", 1, [Dimension("why", "x")]),
            f"e2.unit:1|#why:x,Level:Error|#type:COUNTER{TAIL}",
        ),
    ],
)
def test_a_report_prints_its_line(metrics, caplog, report, line):
    report(metrics)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("INFO", f"[METRICS]{line}")]


def test_while_a_model_loads_the_one_id_is_printed_whatever_the_index(metrics, caplog):
    metrics.set_request_ids("load-id")

    metrics.add_counter("c", 1, idx=0)

    assert caplog.messages == [f"[METRICS]c.Count:1{MODEL}|#type:COUNTER{TAIL},load-id"]


def test_without_request_ids_a_report_counts_as_an_error(metrics, caplog):
    metrics.set_request_ids(None)

    metrics.add_counter("c", 1)

    assert caplog.messages == [f"[METRICS]c.Count:1|#Level:Error|#type:COUNTER{TAIL}"]


def test_the_dimensions_of_the_caller_stay_as_they_are(metrics):
    dimensions = [Dimension("region", "eu")]

    metrics.add_time("t", 1, None, "ms", dimensions)
    metrics.add_time("other", 1)

    assert [str(dimension) for dimension in dimensions] == ["region:eu"]


def test_a_negative_counter_is_an_error_line(metrics, caplog):
    metrics.add_counter("c", -1)

    problem = (
        "Failed to update metric with name:c and dimensions: ModelName:m,Level:Model with value: -1: "
        "Counter metric update value cannot be negative"
    )
    assert caplog.messages == [f"[METRICS]{problem}", problem]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_a_negative_gauge_is_a_value(metrics, caplog):
    metrics.add_time("t", -1)

    assert caplog.messages[0].startswith("[METRICS]t.Milliseconds:-1|")


def test_a_wrong_number_of_dimensions_is_an_error_line(metrics, caplog):
    metrics.add_counter("c", 1)
    caplog.clear()

    metrics.add_counter("c", 2, dimensions=[Dimension("a", "b")])

    assert caplog.messages[0] == (
        "[METRICS]Failed to update metric with name:c and dimensions:  with value: 2: "
        "Dimension values: ['b', 'm', 'Model'] should correspond to Dimension names: ['ModelName', 'Level']"
    )


def test_units_that_are_not_of_time_or_size_are_refused(metrics):
    with pytest.raises(
        merrors.MetricsCacheValueError, match=re.escape("the unit for a timed metric should be one of ['ms', 's']")
    ):
        metrics.add_time("t", 1, unit="h")
    with pytest.raises(ValueError, match=re.escape("The unit for size based metric is one of ['MB','kB', 'GB', 'B']")):
        metrics.add_size("s", 1, unit="TB")


def test_an_unknown_metric_raises_key_error(metrics):
    with pytest.raises(merrors.MetricsCacheKeyError) as caught:
        metrics.get_metric("absent", MetricTypes.GAUGE)

    assert caught.value.args == ("Metric of type 'MetricTypes.GAUGE' and name 'absent' doesn't exist",)
    with pytest.raises(merrors.MetricsCacheKeyError):
        metrics.get_metric("PredictionTime")


def test_one_name_with_two_types_is_two_metrics(metrics):
    counter = metrics.add_metric_to_cache("x", "count")
    gauge = metrics.add_metric_to_cache("x", "ms", ["a"], MetricTypes.GAUGE)

    assert metrics.get_metric("x") is counter
    assert metrics.get_metric("x", MetricTypes.GAUGE) is gauge
    assert (gauge.metric_name, gauge.unit, gauge.dimension_names) == ("x", "Milliseconds", ["a"])
    assert gauge.metric_type is MetricTypes.GAUGE


def test_adding_a_metric_twice_replaces_it_with_a_warning(metrics, caplog):
    first = metrics.add_metric_to_cache("x", "count")
    second = metrics.add_metric_to_cache("x", "ms")

    assert caplog.messages == ["Overriding existing key MetricTypes.COUNTER:x"]
    assert metrics.get_metric("x") is second is not first


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, "ms"), "`metric_name` must be a str"),
        (("x", 1), "`unit` must be a str"),
        (("x", "ms", [], "counter"), "`metric_type` must be a MetricTypes enum"),
        (("x", "ms", "a"), "`dimension_names` should be a list of dimension name strings"),
    ],
)
def test_arguments_of_the_wrong_type_are_refused(metrics, arguments, text):
    with pytest.raises(merrors.MetricsCacheTypeError, match=re.escape(text)):
        metrics.add_metric_to_cache(*arguments)


def test_a_metric_reports_by_itself(caplog):
    metric = CachingMetric("x", "ms", ["a"], MetricTypes.GAUGE)

    metric.add_or_update(1, ["b"])
    metric.add_or_update(2, ["b"], "r9")

    assert caplog.messages == [
        f"[METRICS]x.Milliseconds:1|#a:b|#type:GAUGE{TAIL}",
        f"[METRICS]x.Milliseconds:2|#a:b|#type:GAUGE{TAIL},r9",
    ]


def test_the_old_update_replaces_the_dimension_names(caplog):
    metric = CachingMetric("x", "count", ["a"])

    metric.update(1, "r9", [Dimension("z", 3)])

    assert metric.dimension_names == ["z"]
    assert caplog.messages == [
        "Overriding existing dimensions",
        f"[METRICS]x.Count:1|#z:3|#type:COUNTER{TAIL},r9",
    ]


def test_units_have_names():
    assert Units().units == {
        "ms": "Milliseconds",
        "s": "Seconds",
        "percent": "Percent",
        "count": "Count",
        "MB": "Megabytes",
        "GB": "Gigabytes",
        "kB": "Kilobytes",
        "B": "Bytes",
        "": "unit",
        None: "unit",
    }


# The metrics file


def from_yaml(tmp_path, text: str) -> MetricsCacheYamlImpl:
    pytest.importorskip("yaml")
    path = tmp_path / "metrics.yaml"
    path.write_text(text)
    return MetricsCacheYamlImpl(str(path))


def test_declared_metrics_are_created(tmp_path, caplog):
    cache = from_yaml(
        tmp_path,
        """
        dimensions: [&model ModelName]
        model_metrics:
          counter: [{name: A, unit: count, dimensions: [*model]}]
          histogram: [{name: B, unit: ms, dimensions: []}]
        """,
    )
    cache.initialize_cache()

    assert caplog.messages == [f"Successfully loaded {tmp_path / 'metrics.yaml'}."]
    assert cache.cache_keys() == ["counter:A", "histogram:B"]
    assert cache.get_metric("A").dimension_names == ["ModelName"]
    assert cache.store == []


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("a: 1", merrors.MetricsCacheKeyError, "'model_metrics' key not found in yaml file: 'model_metrics'"),
        ("model_metrics:", merrors.MetricsCacheValueError, "Missing `model_metrics` specification"),
        (
            "model_metrics: {meter: []}",
            merrors.MetricsCacheKeyError,
            "Invalid metric type: 'meter' is not a valid MetricTypes",
        ),
        (
            "model_metrics: {counter: [{name: a, unit: ms}]}",
            merrors.MetricsCacheKeyError,
            "Key not found in cache spec: 'dimensions'",
        ),
    ],
)
def test_a_file_that_declares_no_usable_metrics_is_refused(tmp_path, text, error, message):
    with pytest.raises(error) as caught:
        from_yaml(tmp_path, text).initialize_cache()

    assert caught.value.args[0] == message


def test_a_file_that_is_not_yaml_is_refused(tmp_path):
    yaml = pytest.importorskip("yaml")
    path = tmp_path / "metrics.yaml"

    with pytest.raises(merrors.MetricsCachePyYamlError) as caught:
        from_yaml(tmp_path, "a: [")

    assert str(caught.value).startswith(f"Error parsing file: Error parsing file {path}: ")
    assert isinstance(caught.value, yaml.YAMLError)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    pytest.importorskip("yaml")
    path = tmp_path / "absent.yaml"

    with pytest.raises(merrors.MetricsCacheIOError) as caught:
        MetricsCacheYamlImpl(str(path))

    assert str(caught.value).startswith(f"Error reading file: Error reading file {path}: ")


@pytest.mark.parametrize("text", ["a: 1", "model_metrics:", "", "[]"])
def test_a_worker_takes_the_defaults_where_the_file_declares_nothing(tmp_path, text, caplog):
    pytest.importorskip("yaml")
    path = tmp_path / "metrics.yaml"
    path.write_text(text)

    cache = configured_metrics_cache("m", str(path))

    assert cache.cache_keys() == ["gauge:HandlerTime", "gauge:PredictionTime"]
    assert caplog.messages[-1] == f"{path} has no model_metrics, default metrics are used."


def test_a_cache_without_a_path_is_refused():
    with pytest.raises(merrors.MetricsCacheTypeError):
        MetricsCacheYamlImpl(None)
    with pytest.raises(merrors.MetricsCacheTypeError, match="Config file not initialized"):
        MetricsCacheYamlImpl("")


# Processes and host


def test_the_memory_of_a_process_is_printed(caplog):
    import os

    check_process_mem_usage(StringIO(f"{os.getpid()},,999999999\n"))

    assert re.fullmatch(rf"{os.getpid()}:[1-9]\d{{5,}}", caplog.messages[0])
    assert caplog.messages[1:] == ["Failed get process for pid: 999999999", "999999999:0"]
    assert get_cpu_usage(str(os.getpid())) > 1_000_000


def test_the_collector_prints_the_host_and_answers_process_ids():
    import os

    answer = subprocess.run(
        [sys.executable, "-m", "ts.metrics.metric_collector", "--gpu", "0"],
        cwd=PYTHON_ROOT,
        input=f"{os.getpid()}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    lines = answer.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:7]] == [
        "CPUUtilization.Percent",
        "DiskAvailable.Gigabytes",
        "DiskUsage.Gigabytes",
        "DiskUtilization.Percent",
        "MemoryAvailable.Megabytes",
        "MemoryUsed.Megabytes",
        "MemoryUtilization.Percent",
    ]
    assert all(re.fullmatch(r"\w+\.\w+:[\d.]+\|#Level:Host\|#hostname:[^,]+,\d+", line) for line in lines[:7])
    assert lines[7] == ""
    assert re.fullmatch(rf"{os.getpid()}:\d+", lines[8])

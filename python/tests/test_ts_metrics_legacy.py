import json
import logging
import socket
import time

import pytest

from ts import metrics
from ts.metrics.dimension import Dimension
from ts.metrics.metric import Metric
from ts.metrics.metric_encoder import MetricEncoder
from ts.metrics.metrics_store import MetricsStore


@pytest.fixture(autouse=True)
def _fixed_host_and_clock(monkeypatch, caplog):
    monkeypatch.setattr(socket, "gethostname", lambda: "vm")
    monkeypatch.setattr(time, "time", lambda: 100.9)
    caplog.set_level(logging.INFO)


def test_the_package_gives_its_submodules_when_they_are_asked_for():
    assert metrics.dimension.Dimension is Dimension
    assert metrics.metrics_store.MetricsStore is MetricsStore
    with pytest.raises(AttributeError):
        _ = metrics.absent


def test_a_metric_prints_updates_and_its_text_has_neither_prefix_nor_type(caplog):
    metric = Metric("n", 5, "ms", [Dimension("a", "b"), Dimension("c", 1)], "r0")

    metric.update(7)
    metric.reset()

    assert str(metric) == "n.Milliseconds:5|#a:b,c:1|#hostname:vm,100,r0"
    assert caplog.messages == [
        "[METRICS]n.Milliseconds:7|#a:b,c:1|#type:COUNTER|#hostname:vm,100,r0",
        "[METRICS]n.Milliseconds:0|#a:b,c:1|#type:COUNTER|#hostname:vm,100,r0",
    ]
    assert str(Metric("n", 5, "", [])) == "n.unit:5|#|#hostname:vm,100"


def test_a_metric_is_written_as_json():
    metric = Metric("n", 5, "ms", [Dimension("a", "b")], "r0")

    assert list(metric.to_dict()) == ["MetricName", "Value", "Unit", "Dimensions", "Timestamp", "HostName", "RequestId"]
    assert json.loads(json.dumps(metric, cls=MetricEncoder)) == {
        "MetricName": "n",
        "Value": 5,
        "Unit": "Milliseconds",
        "Dimensions": [{"Name": "a", "Value": "b"}],
        "Timestamp": 100,
        "HostName": "vm",
        "RequestId": "r0",
    }
    with pytest.raises(TypeError):
        json.dumps(object(), cls=MetricEncoder)


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (lambda s, d: s.add_counter("c", 1, None, d), "c.Count:1|#z:1,ModelName:m,Level:Model{tail},r0,r1"),
        (lambda s, d: s.add_time("t", 2, 1, "s", d), "t.Seconds:2|#z:1,ModelName:m,Level:Model{tail},r1"),
        (lambda s, d: s.add_size("s", 3, 0, dimensions=d), "s.Megabytes:3|#z:1,ModelName:m,Level:Model{tail},r0"),
        (lambda s, d: s.add_percent("p", 4, 0, d), "p.Percent:4|#z:1,ModelName:m,Level:Model{tail},r0"),
        (lambda s, d: s.add_error("e", 5, d), "e.unit:5|#z:1,Level:Error{tail}"),
        (lambda s, d: s.add_metric("g", 6, "x", 0, d), "g.x:6|#z:1,ModelName:m,Level:Model{tail},r0"),
    ],
)
def test_the_store_prints_every_report_with_the_dimensions_given(caplog, report, line):
    store = MetricsStore({0: "r0", 1: "r1"}, "m")
    dimensions = [Dimension("z", 1)]

    report(store, dimensions)
    report(store, dimensions)

    expected = "[METRICS]" + line.format(tail="|#type:COUNTER|#hostname:vm,100")
    assert caplog.messages == [expected, expected]
    assert len(store.store) == len(store.cache) == 1
    assert len(dimensions) == 1


def test_the_store_names_its_metrics_by_all_they_differ_in():
    store = MetricsStore({0: "r0"}, "m")

    store.add_counter("c", 1)

    assert list(store.cache) == ["c-count-r0-ModelName:m-Level:Model"]


def test_the_store_refuses_wrong_units_and_dimensions():
    store = MetricsStore("r", "m")

    with pytest.raises(ValueError, match="timed metric"):
        store.add_time("t", 1, unit="h")
    with pytest.raises(ValueError, match="size based"):
        store.add_size("s", 1, unit="TB")
    with pytest.raises(ValueError, match="Please provide a list of dimensions"):
        store.add_counter("c", 1, dimensions="x")

"""What becomes of a batch whose handler raises, and who hears what of it."""

import logging

import pytest
from served_functions import a_service, requests

from ts.service import PredictionException


@pytest.fixture(autouse=True)
def _info_level(caplog):
    caplog.set_level(logging.INFO)


def raising(error):
    def handle(data, context):
        raise error

    return a_service(handle)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "code", "message", "level", "log"),
    [
        (MemoryError(), 507, "Out of resources", "ERROR", "System out of memory"),
        (PredictionException("why"), 500, "why", "ERROR", "Prediction error"),
        (PredictionException("gone", 404), 404, "gone", "ERROR", "Prediction error"),
        (PredictionException("big", 413), 413, "big", "ERROR", "Prediction error"),
        (PredictionException(7, "429"), 429, "7", "ERROR", "Prediction error"),
        (PredictionException("odd", "x"), 500, "odd", "ERROR", "Prediction error"),
        (PredictionException("fine?", 200), 500, "fine?", "ERROR", "Prediction error"),
        (RuntimeError("CUDA error: x"), 507, "Out of resources", "ERROR", "CUDA out of memory"),
        (ValueError("x"), 503, "Prediction failed", "WARNING", "Invoking custom service failed."),
        (Unprintable(), 503, "Prediction failed", "WARNING", "Invoking custom service failed."),
    ],
)
def test_an_exception_becomes_the_outcome_of_the_batch(error, code, message, level, log, caplog):
    result = raising(error).predict(requests(2))

    assert (result.code, result.message, result.entries) == (code, message, [])
    (record,) = caplog.records
    headline, *traceback, ids = record.getMessage().split("\n")
    assert (record.levelname, headline, ids) == (level, log, "request_id=r0 request_id=r1")
    assert traceback[0] == "Traceback (most recent call last):"
    assert type(error).__name__ in traceback[-1]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_is_not_an_exception_escapes(error):
    with pytest.raises(type(error)):
        raising(error).predict(requests(1))


def test_a_prediction_exception_whose_message_has_no_text_fails_the_batch_only():
    result = raising(PredictionException(Unprintable(), 418)).predict(requests(1))

    assert (result.code, result.message) == (418, "Prediction failed")


@pytest.mark.parametrize(
    ("entry_point", "first", "last"),
    [
        (raising(ValueError("why")).entry_point, "Prediction failed", "ValueError: why"),
        (raising(PredictionException("four numbers", 400)).entry_point, "four numbers", "four numbers : 400"),
        (lambda data, context: {}, "Invalid model predict output", "Invalid return type: <class 'dict'>."),
        (lambda data, context: [], "number of batch response mismatched", "expect: 1, got: 0."),
        (lambda data, context: [{1}], "Unsupported model output data type.", "set is not JSON serializable"),
    ],
)
def test_the_client_hears_what_is_behind_a_failure_only_where_it_is_the_author(entry_point, first, last):
    plain, told = a_service(entry_point), a_service(entry_point)
    told.tells_tracebacks = True

    assert plain.predict(requests(1)).message == first
    head, *behind = told.predict(requests(1)).message.split("\n")
    assert head == first
    assert behind[-1].endswith(last)


def test_the_text_of_a_prediction_exception_names_its_code():
    assert str(PredictionException("why", 404)) == "why : 404"


def test_the_prediction_exception_of_service_is_that_of_util():
    from ts.utils import util

    assert PredictionException is util.PredictionException


def test_a_batch_that_fails_prints_no_time(caplog):
    raising(ValueError("x")).predict(requests(1))

    assert not [message for message in caplog.messages if message.startswith("[METRICS]")]

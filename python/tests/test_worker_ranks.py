"""The parts of a rank that need no torchrun around them."""

import socket

import pytest

from sconce_worker import frames
from sconce_worker.silent_answer import SilentAnswer
from sconce_worker.torchrun import loopback_store
from ts.service import PredictResult


class StoreOf:
    """Remembers what it was made with."""

    def __init__(self, **options):
        self.options = options


LoopbackStore = loopback_store(StoreOf)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_store_for_this_machine_listens_on_loopback_alone(host):
    store = LoopbackStore(host, 0, is_master=True, multi_tenant=True)
    with socket.socket(fileno=store.options["master_listen_fd"]) as listener:
        assert listener.getsockname() == ("127.0.0.1", store.options["port"])
    assert (store.options["host_name"], store.options["multi_tenant"]) == (host, True)


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (("head.example", 0), {"is_master": True}),
        (("127.0.0.1", 29400, 2, False), {}),
        (("localhost", 29400), {}),
    ],
)
def test_a_store_for_others_and_one_that_only_connects_stay_as_they_are(args, options):
    store = LoopbackStore(*args, **options)
    assert "master_listen_fd" not in store.options
    assert (store.options["host_name"], store.options["port"]) == args[:2]


def test_a_store_whose_port_is_taken_is_left_to_say_so_itself():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert LoopbackStore("127.0.0.1", port, None, True).options == {
            "host_name": "127.0.0.1",
            "port": port,
            "world_size": None,
            "is_master": True,
        }


def test_a_silent_rank_says_that_it_has_done_and_nothing_else(caplog):
    sent = []
    answer = SilentAnswer(3, sent.append, 258)
    with caplog.at_level("INFO"):
        answer.send_parts(["part"])
        answer.end(PredictResult(503, "Prediction failed", []))
    assert sent == [frames.encode_batch_done(258)]
    assert caplog.messages == ["skip sending response at rank 3"]

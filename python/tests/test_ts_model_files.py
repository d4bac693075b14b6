"""What fetches a model's files: from a URL for unit tests, and from the Hugging Face hub."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlparse

import pytest

from ts.torch_handler.unit_tests.test_utils.model_dir import copy_files, download_model

PYTHON_ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "original/params.json": b'{"dim": 2}',
    "logo.png": b"picture",
}
COMMIT = "0" * 39 + "1"


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub's protocol as a snapshot takes: the list of files, then each file."""

    def do_HEAD(self):
        self.answer(is_head=True)

    def do_GET(self):
        self.answer(is_head=False)

    def answer(self, is_head: bool) -> None:
        path = urlparse(self.path).path
        self.server.asked.append((self.command, path, self.headers.get("authorization")))
        if path.startswith("/api/models/organisation/tiny/tree/"):
            tree = [{"type": "file", "path": name, "size": len(body), "oid": name} for name, body in FILES.items()]
            return self.send(json.dumps(tree).encode(), is_head)
        if path.startswith("/api/models/organisation/tiny"):
            siblings = [{"rfilename": name} for name in FILES]
            model = {"id": "organisation/tiny", "sha": COMMIT, "siblings": siblings}
            return self.send(json.dumps(model).encode(), is_head)
        name = path.rpartition(f"/resolve/{COMMIT}/")[2].lstrip("/")
        if name not in FILES:
            return self.send_error(404)
        return self.send(FILES[name], is_head)

    def send(self, body: bytes, is_head: bool) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "application/json")
        self.send_header("etag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("x-repo-commit", COMMIT)
        self.end_headers()
        if not is_head:
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def hub():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_downloaded_once(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        download_model(f"{hub.address}/model.safetensors", tmp_path / name)

    assert [(tmp_path / name / "model.pt").read_bytes() for name in ("first", "second")] == [b"weights"] * 2
    assert len(hub.asked) == 1


def test_a_download_that_fails_leaves_nothing_behind(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with pytest.raises(OSError, match="404"):
        download_model(f"{hub.address}/absent.pt", tmp_path)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_are_copied_under_new_names(tmp_path):
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "from" / "a").write_text("A")

    copy_files(tmp_path / "from", tmp_path / "to", {"a": "b"})

    assert (tmp_path / "to" / "b").read_text() == "A"


def test_the_hub_gives_weights_and_configuration_but_nothing_else(hub, tmp_path):
    pytest.importorskip("huggingface_hub")
    call = f"download_model('organisation/tiny', model_path={str(tmp_path / 'cache')!r}, use_auth_token='secret')"

    # The package reads the hub's address when it is imported.
    answer = subprocess.run(
        [sys.executable, "-c", f"from ts.utils.hf_utils import download_model\nprint({call})"],
        cwd=PYTHON_ROOT,
        env={**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    folder = Path(answer.stdout.strip())
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {name: body for name, body in FILES.items() if name != "logo.png"}
    assert {token for _, path, token in hub.asked if path.startswith("/api/models/")} == {"Bearer secret"}

"""A run with a voice and a checkpoint, its page, and a browser."""

import threading
from pathlib import Path

import pytest

from lib.base_model.tiny import write_tiny_model
from lib.files import write_json
from lib.packs.onnx_file import export_onnx
from lib.talk.catalogue import Voices
from lib.talk.server import start_server
from tests.fixtures.made_run import chromium

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("talk")
    write_tiny_model(folder / "model")
    speakers = {"spk000": {"index": 0, "name": "Anna"}, "spk001": {"index": 0, "name": "spk001"}}
    write_json(folder / "model/speakers.json", speakers)
    export_onnx(folder / "model", folder / "onnx", "eng")
    return folder


@pytest.fixture(scope="session")
def address(results):
    server = start_server(Voices(results), 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()
    thread.join()

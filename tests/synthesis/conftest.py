"""A small voice in both forms: as transformers loads it, and as an ONNX file."""

from pathlib import Path

import pytest

from lib.base_model.tiny import write_tiny_model
from lib.files import write_json
from lib.packs.onnx_file import export_onnx


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """``model/`` and ``onnx/`` of a run, with two names for speakers."""
    folder = tmp_path_factory.mktemp("run")
    write_tiny_model(folder / "model")
    speakers = {"spk000": {"index": 0, "name": "Anna"}, "spk003": {"index": 1, "name": "spk003"}}
    write_json(folder / "model/speakers.json", speakers)
    export_onnx(folder / "model", folder / "onnx", "eng")
    return folder

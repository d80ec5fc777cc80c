"""Voices of two kinds, exported once."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from lib.base_model.tiny import write_tiny_model
from lib.files import write_json
from lib.packs.onnx_file import export_onnx

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Voice:
    """A voice in transformers' layout, and its ONNX file."""

    model: Path
    exported: Path


def export(model: Path, folder: Path) -> Voice:
    export_onnx(model, folder / "onnx", "eng")
    return Voice(model, folder / "onnx")


@pytest.fixture(scope="session")
def speakers(tmp_path_factory) -> Voice:
    """The base of the demo: ten speakers, deterministic durations, real speech."""
    folder = tmp_path_factory.mktemp("speakers")
    shutil.copytree(ROOT / "resources/base_model", folder / "model")
    return export(folder / "model", folder)


@pytest.fixture(scope="session")
def stochastic(tmp_path_factory) -> Voice:
    """A random voice of one speaker with stochastic durations, as MMS-TTS has them."""
    folder = tmp_path_factory.mktemp("stochastic")
    write_tiny_model(folder / "model")
    write_json(folder / "model/speakers.json", {"spk000": {"index": 0, "name": "Anna"}})
    return export(folder / "model", folder)


@pytest.fixture(params=["speakers", "stochastic"])
def voice(request) -> Voice:
    return request.getfixturevalue(request.param)

"""The fixtures of trainings, and a run with a dataset and a fitted base model."""

import shutil
import subprocess
import sys

import pytest

from lib.bundle.pack import pack_bundle
from lib.config.read import read_config
from tests.fixtures.training import QUICK
from tests.training.conftest import *  # noqa: F403 - fixtures


@pytest.fixture
def config():
    whole = read_config(None)
    return {**whole, "training": QUICK.as_dict(), "samples": {"texts": ["-good 'day'"]}}


@pytest.fixture
def home(tmp_path, dataset, base):
    """A run's folder, up to the fitted base model."""
    results = tmp_path / "home/results"
    for name, made in (("dataset", dataset), ("base_model", base)):
        shutil.copytree(made, results / name)
    return results


@pytest.fixture
def bundle(home, config, tmp_path):
    """A bundle on the other machine."""
    pack_bundle(home, tmp_path / "packed", config)
    shutil.copytree(tmp_path / "packed", tmp_path / "rented/voice")
    return tmp_path / "rented/voice"


def run_box(bundle, *arguments, **options):
    """Start the training there: the interpreter of the tests has the packages."""
    command = [sys.executable, "train.py", "--python", sys.executable, "--cpu", *arguments]
    return subprocess.run(command, cwd=bundle, capture_output=True, text=True, **options)

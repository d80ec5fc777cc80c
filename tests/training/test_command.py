"""A training by hand: `python -m lib.training`."""

import dataclasses

import pytest
import yaml

from lib.files import read_json
from lib.training.__main__ import main
from tests.fixtures.training import QUICK


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "quick.yaml"
    section = {**dataclasses.asdict(QUICK), "epochs": 1}
    path.write_text(yaml.safe_dump({"training": section}), "utf-8")
    return path


def test_the_command_trains_into_its_folder_and_keeps_where_it_is_told(
    config, dataset, base, tmp_path
):
    output, kept = tmp_path / "voice", tmp_path / "kept"
    places = ["--output", str(output), "--keep-at", str(kept), "--config", str(config)]
    main([str(dataset), str(base), *places, "--gpus", "0", "--threads", "1"])
    summary = read_json(output / "training.json")
    assert summary["finished"] and summary["epoch"] == 1
    assert (output / "checkpoints/epoch0001").is_dir()
    assert list((output / "tensorboard").glob("events.*"))
    for name in ("checkpoints/epoch0001", "summary/training.json"):
        assert list(kept.glob(f"training-*/{name}")), name


def test_what_cannot_be_read_is_told(config, base, tmp_path):
    line = [str(tmp_path / "no dataset"), str(base), "--config", str(config), "--gpus", "0"]
    with pytest.raises(SystemExit, match="no dataset.*expected a dataset"):
        main([*line, "--output", str(tmp_path / "voice")])

"""Checkpoints are copied while a training goes on, and a new machine goes on from the copies."""

import dataclasses
import json
import logging
import shutil

import pytest

from lib.base_model.weights import compute_checksum
from lib.keeping.keeper import CheckpointKeeper
from lib.keeping.storage import FolderStorage, StorageError, open_storage
from lib.training.checkpoint import find_surplus
from lib.training.run import train
from lib.training.settings import TrainingPaths
from tests.fixtures.training import QUICK, assert_equal, weights


def write_checkpoint(root, name, step, resumable=True):
    folder = root / name
    folder.mkdir(parents=True)
    files = ["ema.safetensors", *(["optimizers.pt"] if resumable else [])]
    for file in files:
        (folder / file).write_text(f"{name} {step}")
    record = {
        "state": {"step": step},
        "signature": {},
        "checksums": {file: compute_checksum(folder / file) for file in files},
    }
    (folder / "state.json").write_text(json.dumps(record))
    return folder


def make_keeper(target, keep="all", name="training-1a"):
    return CheckpointKeeper(target, name, lambda names: find_surplus(names, keep))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_new_machine_gets_the_newest_the_best_and_the_curves(target, tmp_path):
    here, there = tmp_path / "here/checkpoints", tmp_path / "there/checkpoints"
    (tmp_path / "here/tensorboard").mkdir(parents=True)
    (tmp_path / "here/tensorboard/events").write_text("curve")
    (tmp_path / "here/training.json").write_text("{}")
    with make_keeper(target) as keeper:
        for name, step in (("epoch0001", 4), ("step00000007", 7)):
            keeper.keep_checkpoint(write_checkpoint(here, name, step))
        keeper.keep_checkpoint(write_checkpoint(here, "best", 4, resumable=False))
        keeper.keep_outcome(tmp_path / "here/tensorboard", tmp_path / "here/training.json")
    make_keeper(target).fetch(there, tmp_path / "there/tensorboard")
    assert names(there) == ["best", "epoch0001", "step00000007"]
    # A voice can be made of an earlier milestone, and no training goes on from it.
    assert names(there / "epoch0001") == ["ema.safetensors", "state.json"]
    assert (there / "step00000007/optimizers.pt").read_text() == "step00000007 7"
    assert names(tmp_path / "there/tensorboard") == ["events"]
    assert open_storage(target).list("training-1a/summary") == ["training.json"]


def test_a_copy_that_is_damaged_is_passed_over(target, tmp_path, caplog):
    here, there = tmp_path / "here", tmp_path / "there"
    with make_keeper(target) as keeper:
        keeper.keep_checkpoint(write_checkpoint(here, "epoch0001", 4))
        keeper.keep_checkpoint(write_checkpoint(here, "epoch0002", 8))
    half = tmp_path / "place/training-1a/checkpoints/epoch0002/optimizers.pt"
    half.write_bytes(half.read_bytes()[:4])
    make_keeper(target).fetch(there, tmp_path / "curves")
    assert names(there) == ["epoch0001"]
    assert "Skipped a kept checkpoint" in caplog.text


@pytest.mark.parametrize("step", [8, 9])
def test_what_is_as_new_here_stays(target, tmp_path, step):
    with make_keeper(target) as keeper:
        keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", "epoch0002", 8))
    there = tmp_path / "there"
    write_checkpoint(there, "step00000009", step)
    make_keeper(target).fetch(there, tmp_path / "curves")
    assert names(there) == ["step00000009"]


def test_a_training_of_other_data_is_not_taken(target, tmp_path):
    with make_keeper(target) as keeper:
        keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", "epoch0002", 8))
    for other in ("training-1b", "training-1", "training-1a.x"):
        make_keeper(target, name=other).fetch(tmp_path / "there", tmp_path / "curves")
    assert names(tmp_path / "there") == []


def test_one_that_starts_anew_is_kept_beside_the_earlier(target, tmp_path):
    for number in (1, 2, 3):
        keeper = make_keeper(target)
        keeper.start_anew()
        with keeper:
            keeper.keep_checkpoint(write_checkpoint(tmp_path / f"{number}", "epoch0001", number))
    assert open_storage(target).list() == ["training-1a", "training-1a.2", "training-1a.3"]
    make_keeper(target).fetch(tmp_path / "there", tmp_path / "curves")
    assert (tmp_path / "there/epoch0001/ema.safetensors").read_text() == "epoch0001 3"


def test_as_many_are_kept_there_as_here(target, tmp_path):
    with make_keeper(target, keep=1) as keeper:
        for step in range(1, 5):
            keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", f"step{step:08d}", step))
        for epoch in (1, 2):
            name = f"epoch{epoch:04d}"
            keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", name, 10 * epoch))
        keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", "best", 10))
    kept = open_storage(target).list("training-1a/checkpoints")
    assert kept == ["best", "epoch0002", "step00000003", "step00000004"]


def test_a_place_that_fails_later_is_told_and_the_next_copy_is_made(tmp_path, monkeypatch, caplog):
    put = FolderStorage.put
    failed = []

    def fail_once(storage, folder, name):
        if not failed:
            failed.append(name)
            raise StorageError("no space left on device")
        put(storage, folder, name)

    monkeypatch.setattr(FolderStorage, "put", fail_once)
    with make_keeper(str(tmp_path / "place")) as keeper:
        keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", "epoch0001", 1))
        keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", "epoch0002", 2))
    assert "epoch0001 is not kept: no space left on device" in caplog.text
    assert names(tmp_path / "place/training-1a/checkpoints") == ["epoch0002"]


def test_without_a_place_nothing_is_kept(tmp_path):
    with make_keeper(None) as keeper:
        keeper.keep_checkpoint(write_checkpoint(tmp_path / "here", "epoch0001", 1))
        keeper.start_anew()
        keeper.fetch(tmp_path / "there", tmp_path / "curves")
    assert names(tmp_path) == ["here"]


def on_another_machine(paths: TrainingPaths) -> TrainingPaths:
    """The same dataset and base model, nothing else."""
    folder = paths.summary.parent / "elsewhere"
    return dataclasses.replace(
        paths,
        checkpoints=folder / "checkpoints",
        tensorboard=folder / "tensorboard",
        summary=folder / "training.json",
    )


def test_a_training_goes_on_on_a_new_machine_to_the_same_weights(
    undisturbed, paths, target, caplog
):
    caplog.set_level(logging.INFO)
    settings = dataclasses.replace(QUICK, keep_at=target)
    train(dataclasses.replace(settings, epochs=2), paths, use_gpu=False, threads=1)
    shutil.rmtree(paths.checkpoints)
    new = on_another_machine(paths)
    train(settings, new, use_gpu=False, threads=1)
    assert "Going on at epoch 2" in caplog.text
    assert_equal(weights(undisturbed.checkpoints), weights(new.checkpoints))
    (kept,) = open_storage(target).list()
    assert set(open_storage(target).list(f"{kept}/checkpoints")) >= {"best", "epoch0004"}
    assert open_storage(target).list(f"{kept}/summary") == ["training.json"]


def test_a_training_that_is_to_start_afresh_does(paths, tmp_path):
    settings = dataclasses.replace(QUICK, epochs=1, keep_at=str(tmp_path / "place"))
    train(settings, paths, use_gpu=False, threads=1)
    new = on_another_machine(paths)
    train(dataclasses.replace(settings, resume=False), new, use_gpu=False, threads=1)
    first, second = open_storage(settings.keep_at).list()
    assert second == f"{first}.2"


def test_a_place_that_cannot_be_reached_is_told_before_the_training(paths, tmp_path):
    (tmp_path / "file").write_text("")
    settings = dataclasses.replace(QUICK, keep_at=str(tmp_path / "file/place"))
    with pytest.raises(StorageError, match="cannot be written to"):
        train(settings, paths, use_gpu=False, threads=1)
    assert not paths.checkpoints.exists()

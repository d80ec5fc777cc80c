"""Checkpoints are whole or absent."""

import json
import time
from pathlib import Path

import pytest
import torch

from lib import files
from lib.base_model.weights import DamagedCheckpointError
from lib.training import checkpoint as module
from lib.training.checkpoint import (
    Checkpoint,
    TrainState,
    load_checkpoint,
    newest_checkpoint,
    recover_checkpoints,
    remove_surplus,
    replace_checkpoints,
    save_checkpoint,
)


def make(step: int) -> Checkpoint:
    tensors = {"w": torch.full((3,), float(step))}
    return Checkpoint(
        state=TrainState(epoch=1, batch=2, step=step, best_score=0.1, micro_batch_clips=4),
        signature={"dataset": "abc", "speakers": {"spk000": 0}},
        generator=tensors,
        ema=tensors,
        discriminator=tensors,
        optimizers={"generator": {"state": {0: {"exp_avg": torch.ones(2)}}}, "scaler": {}},
    )


def test_everything_comes_back(tmp_path):
    save_checkpoint(tmp_path / "epoch0001", make(7))
    loaded = load_checkpoint(tmp_path / "epoch0001")
    assert loaded.state == make(7).state
    assert loaded.signature == make(7).signature
    assert torch.equal(loaded.generator["w"], torch.full((3,), 7.0))
    assert torch.equal(loaded.optimizers["generator"]["state"][0]["exp_avg"], torch.ones(2))


def damage_by_truncation(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage_by_flipping(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [Path.unlink, damage_by_truncation, damage_by_flipping])
@pytest.mark.parametrize("name", ["generator.safetensors", "optimizers.pt", "ema.safetensors"])
def test_a_damaged_one_is_skipped_with_a_message(tmp_path, caplog, damage, name):
    save_checkpoint(tmp_path / "epoch0001", make(1))
    save_checkpoint(tmp_path / "epoch0002", make(2))
    damage(tmp_path / "epoch0002" / name)
    with pytest.raises(DamagedCheckpointError, match=name):
        load_checkpoint(tmp_path / "epoch0002")
    assert newest_checkpoint(tmp_path).state.step == 1
    assert name in caplog.text


def test_unreadable_state_is_skipped(tmp_path, caplog):
    save_checkpoint(tmp_path / "epoch0001", make(1))
    save_checkpoint(tmp_path / "epoch0002", make(2))
    (tmp_path / "epoch0002/state.json").write_text("{")
    assert newest_checkpoint(tmp_path).state.step == 1
    assert "Skipped" in caplog.text


def test_newest_is_that_of_most_steps_whatever_its_name(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path / "epoch0009", make(3))
    save_checkpoint(tmp_path / "best", make(1))
    save_checkpoint(tmp_path / "step00000005", make(5))
    assert newest_checkpoint(tmp_path).state.step == 5


@pytest.mark.parametrize("moment", ["save_file", "flush_to_disk", "os.replace"])
def test_a_crash_while_saving_leaves_the_earlier_one(tmp_path, monkeypatch, moment):
    save_checkpoint(tmp_path / "best", make(1))

    class Killed(BaseException):
        pass

    def die(*args, **options):
        raise Killed

    places = {"os.replace": (files.os, "replace"), "flush_to_disk": (files, "flush_to_disk")}
    target, name = places.get(moment, (module, moment))
    monkeypatch.setattr(target, name, die)
    with pytest.raises(Killed):
        save_checkpoint(tmp_path / "best", make(2))
    monkeypatch.undo()
    assert newest_checkpoint(tmp_path).state.step == 1
    remove_surplus(tmp_path, "all")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_keep_policy(tmp_path):
    for number in range(1, 5):
        save_checkpoint(tmp_path / f"epoch{number:04d}", make(number))
        save_checkpoint(tmp_path / f"step{number:08d}", make(number))
    save_checkpoint(tmp_path / "best", make(1))
    remove_surplus(tmp_path, "all")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [n for n in names if n.startswith("step")] == ["step00000003", "step00000004"]
    assert len([n for n in names if n.startswith("epoch")]) == 4
    remove_surplus(tmp_path, 2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [n for n in names if n.startswith("epoch")] == ["epoch0003", "epoch0004"]
    assert "best" in names


def test_archiving_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda _: "20260101-120000")
    root = tmp_path / "checkpoints"
    assert replace_checkpoints(root, None) is None
    archived = []
    for step in (1, 2, 3):
        save_checkpoint(root / "best", make(step))
        archived.append(replace_checkpoints(root, None))
        assert not root.exists()
    assert [load_checkpoint(p / "best").state.step for p in archived] == [1, 2, 3]
    # All within a second.
    name = "checkpoints.20260101-120000"
    assert [path.name for path in archived] == [name, f"{name}-2", f"{name}-3"]


def test_state_says_what_it_is_for_people(tmp_path):
    save_checkpoint(tmp_path / "best", make(3))
    state = json.loads((tmp_path / "best/state.json").read_text())
    assert state["state"]["step"] == 3
    assert set(state["checksums"]) == {
        "generator.safetensors",
        "ema.safetensors",
        "discriminator.safetensors",
        "optimizers.pt",
    }


@pytest.mark.parametrize("moves", range(3))
def test_a_crash_while_replacing_finds_the_old_ones_or_the_first_new_one(
    tmp_path, monkeypatch, moves
):
    """Killed before any of its moves: of the new checkpoint, of the old ones, of the new root."""
    root = tmp_path / "checkpoints"
    save_checkpoint(root / "epoch0004", make(4))

    class Killed(BaseException):
        pass

    real, done = module.os.replace, []

    def replace(source, target):
        if len(done) == moves:
            raise Killed
        done.append(target)
        real(source, target)

    monkeypatch.setattr(module.os, "replace", replace)
    with pytest.raises(Killed):
        replace_checkpoints(root, make(0))
    monkeypatch.undo()
    recover_checkpoints(root)
    assert newest_checkpoint(root).state.step == (0 if moves == 2 else 4)

"""Exact resumption: kills, signals, damaged checkpoints, changed settings, two processes."""

import dataclasses
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.locking import LockedError, take_lock
from lib.training.checkpoint import load_checkpoint
from lib.training.run import train
from lib.training.step import TrainStep
from lib.training.trainer import Trainer, TrainingInterrupted
from tests.fixtures.training import QUICK, assert_equal, weights

ROOT = Path(__file__).resolve().parents[2]


def test_two_and_two_epochs_equal_four_bit_for_bit(undisturbed, paths):
    train(dataclasses.replace(QUICK, epochs=2), paths, use_gpu=False, threads=1)
    train(QUICK, paths, use_gpu=False, threads=1)
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))


def test_a_signal_within_an_epoch_saves_and_resuming_is_exact(undisturbed, paths, monkeypatch):
    taken = []
    original = TrainStep.apply

    def apply(train_step, step):
        taken.append(step)
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(train_step, step)

    monkeypatch.setattr(TrainStep, "apply", apply)
    with pytest.raises(TrainingInterrupted, match="run again"):
        train(QUICK, paths, use_gpu=False, threads=1)
    assert taken == [0, 1, 2]
    assert (paths.checkpoints / "step00000003").is_dir()
    assert not paths.summary.exists()
    train(QUICK, paths, use_gpu=False, threads=1)
    assert taken[3:] == [3, 4, 5, 6, 7]
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))


def test_kill_9_and_a_damaged_checkpoint_cost_time_only(undisturbed, paths):
    values = {k: repr(str(v)) for k, v in vars(paths).items()}
    script = (
        "from pathlib import Path\n"
        "from lib.training.run import train\n"
        "from lib.training.settings import TrainingPaths, TrainingSettings\n"
        "from lib.config.training import LossWeights\n"
        f"paths = TrainingPaths({', '.join(f'{k}=Path({v})' for k, v in values.items())})\n"
        f"train({QUICK!r}, paths, use_gpu=False, threads=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (paths.checkpoints / "epoch0002").is_dir():
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not paths.summary.exists()
    newest = max(paths.checkpoints.glob("epoch*"))
    (newest / "optimizers.pt").write_bytes(b"")
    train(QUICK, paths, use_gpu=False, threads=1)
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))


def test_a_finished_training_is_not_repeated(undisturbed, monkeypatch):
    monkeypatch.setattr(TrainStep, "accumulate", lambda *_: pytest.fail("trained again"))
    trainer = Trainer(QUICK, undisturbed, use_gpu=False)
    trainer.run()
    assert trainer.state.epoch == 4


def test_killed_between_the_saves_of_one_epoch(undisturbed, paths, monkeypatch):
    """`best` is saved and the milestone is not: going on makes up for it."""
    original = Trainer._save

    def save(trainer, name):
        if name == "epoch0002":
            raise KeyboardInterrupt
        original(trainer, name)

    monkeypatch.setattr(Trainer, "_save", save)
    with pytest.raises(KeyboardInterrupt):
        train(QUICK, paths, use_gpu=False, threads=1)
    monkeypatch.undo()
    assert load_checkpoint(paths.checkpoints / "best").state.epoch == 2
    train(QUICK, paths, use_gpu=False, threads=1)
    assert_equal(
        weights(paths.checkpoints, "epoch0002"), weights(undisturbed.checkpoints, "epoch0002")
    )
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))


def test_changed_settings_say_what_follows(undisturbed, paths, caplog):
    train(dataclasses.replace(QUICK, epochs=1), paths, use_gpu=False, threads=1)
    caplog.set_level(logging.INFO)
    train(dataclasses.replace(QUICK, epochs=2), paths, use_gpu=False, threads=1)
    assert "training.epochs changed from 1 to 2: allows going on" in caplog.text
    assert "Going on at epoch 1" in caplog.text
    caplog.clear()
    changed = dataclasses.replace(QUICK, epochs=2, learning_rate=5e-4)
    train(changed, paths, use_gpu=False, threads=1)
    assert (
        "training.learning_rate changed from 0.001 to 0.0005: asks for a new start" in caplog.text
    )
    archives = list(paths.checkpoints.parent.glob("checkpoints.*"))
    assert len(archives) == 1
    assert (archives[0] / "epoch0002").is_dir()


def test_a_second_training_over_the_same_checkpoints_is_refused(paths):
    """A killed run may leave its training behind: two would write over each other."""
    with take_lock(paths.checkpoints.parent / "state/training.lock", "training"):
        with pytest.raises(LockedError, match=f"process {os.getpid()} is training here already"):
            train(QUICK, paths, use_gpu=False, threads=1)
    assert not paths.checkpoints.exists()

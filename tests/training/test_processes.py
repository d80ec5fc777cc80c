"""Several processes train as one: they decide together, and stop together."""

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lib.files import read_json
from lib.locking import LockedError
from lib.training import run
from lib.training.device import count_processes
from lib.training.run import TrainingFailedError, train
from lib.training.trainer import TrainingInterrupted
from tests.fixtures.training import QUICK, weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def faulty(monkeypatch):
    """Let workers meet a fault in one of them."""
    original = run.launch

    def set_fault(name: str) -> None:
        monkeypatch.setenv("FAULT", name)
        monkeypatch.setattr(
            run,
            "launch",
            lambda *arguments: original(*arguments, module="tests.training.faulty_worker"),
        )

    yield set_fault


def train_with_two(paths, **changes) -> None:
    train(dataclasses.replace(QUICK, **changes), paths, use_gpu=False, threads=2, processes=2)


def assert_close(one: dict, two: dict) -> None:
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=2e-4, msg=name)


def scalars(folder: Path, name: str) -> list[float]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.value for event in events.Scalars(name)]


@pytest.fixture
def log(tmp_path):
    """A job's log file."""
    handler = logging.FileHandler(tmp_path / "train.log")
    logging.getLogger().addHandler(handler)
    yield tmp_path / "train.log"
    logging.getLogger().removeHandler(handler)
    handler.close()


def test_two_processes_train_to_the_weights_of_one(undisturbed, paths, log):
    """Each takes half of the micro-batches; gradients and losses are summed over both."""
    train_with_two(paths)
    assert "Training in 2 processes, this one on cpu" in log.read_text()
    assert log.read_text().count("Epoch 4: validation score") == 2
    assert_close(weights(undisturbed.checkpoints), weights(paths.checkpoints))
    assert len(list(paths.tensorboard.glob("events*"))) == 1, "only one process logs"
    for name in ("train/mel", "train/discriminator", "validation/score", "validation/kl"):
        one, two = scalars(undisturbed.tensorboard, name), scalars(paths.tensorboard, name)
        assert two == pytest.approx(one, rel=2e-3), name
    one, two = read_json(undisturbed.summary), read_json(paths.summary)
    assert (two["epoch"], two["step"], two["best_epoch"]) == (4, 8, one["best_epoch"])


def test_memory_that_runs_out_in_one_shrinks_the_micro_batch_of_all(undisturbed, paths, faulty):
    faulty("memory")
    train_with_two(paths)
    summary = read_json(paths.summary)
    assert (summary["epoch"], summary["step"]) == (4, 8)
    assert summary["micro_batch_budget"] < read_json(undisturbed.summary)["micro_batch_budget"]


def test_a_clip_that_does_not_fit_stops_all_with_one_message(paths, faulty, capfd):
    faulty("no memory at all")
    with pytest.raises(TrainingFailedError, match="of 2 of the training ended with status 1"):
        train_with_two(paths)
    assert "a single clip does not fit into training.memory_gb" in capfd.readouterr().err


def test_a_signal_to_one_stops_all_and_going_on_is_exact(undisturbed, paths, faulty, monkeypatch):
    faulty("signal")
    with pytest.raises(TrainingInterrupted, match="run again"):
        train_with_two(paths)
    assert (paths.checkpoints / "step00000003").is_dir()
    assert not paths.summary.exists()
    monkeypatch.undo()
    train_with_two(paths)
    assert_close(weights(undisturbed.checkpoints), weights(paths.checkpoints))


def test_one_that_crashes_ends_all_and_says_why(paths, faulty, capfd, monkeypatch):
    monkeypatch.setattr(run, "_GRACE_SECONDS", 2.0)
    faulty("crash")
    with pytest.raises(TrainingFailedError, match="run again to go on"):
        train_with_two(paths)
    assert "Process 1: RuntimeError: rank one is broken" in capfd.readouterr().err


def test_one_that_is_killed_costs_time_only(undisturbed, paths, faulty, monkeypatch):
    monkeypatch.setattr(run, "_GRACE_SECONDS", 2.0)
    faulty("kill")
    with pytest.raises(TrainingFailedError, match="process 0 of 2"):
        train_with_two(paths)
    monkeypatch.undo()
    train_with_two(paths)
    assert_close(weights(undisturbed.checkpoints), weights(paths.checkpoints))


SCRIPT = """
import sys
from pathlib import Path
from lib.training.run import train
from lib.config.training import TrainingSettings
from lib.training.settings import TrainingPaths
import json
job = json.loads(sys.argv[1])
paths = TrainingPaths(**{name: Path(path) for name, path in job["paths"].items()})
train(TrainingSettings.from_config(job["settings"]), paths, False, 2, processes=2)
"""


def start(paths, **changes) -> subprocess.Popen:
    job = {
        "paths": {name: str(path) for name, path in vars(paths).items()},
        "settings": dataclasses.replace(QUICK, **changes).as_dict(),
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps(job)]
    return subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition, seconds=120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_parent_that_is_asked_to_stop_waits_until_all_have_saved(paths):
    process = start(paths, epochs=500)
    wait_for(lambda: (paths.checkpoints / "epoch0002").is_dir())
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    assert list(paths.checkpoints.glob("step*")), "the state was saved"
    assert not paths.summary.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_to_the_whole_group_is_one_request(paths, number):
    """A batch system and a terminal send it to all processes, and the first passes its own on."""
    process = start(paths, epochs=500)
    wait_for(lambda: (paths.checkpoints / "epoch0002").is_dir())
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert "TrainingInterrupted: stopped by a signal; the state is saved" in said
    assert list(paths.checkpoints.glob("step*")), "the state was saved"


def test_a_signal_before_the_first_step_is_no_failure(paths):
    process = start(paths, epochs=500)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: len(children.read_text().split()) == 2)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert "TrainingInterrupted" in said
    assert not paths.checkpoints.exists()


def test_workers_without_their_parent_save_and_end_and_hold_the_lock_until_then(paths):
    process = start(paths, epochs=500)
    wait_for(lambda: (paths.checkpoints / "epoch0002").is_dir())
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(LockedError):
        train(QUICK, paths, use_gpu=False, threads=1)
    process.kill()
    process.wait()

    def free() -> bool:
        try:
            train(dataclasses.replace(QUICK, epochs=1), paths, use_gpu=False, threads=1)
        except LockedError:
            return False
        return True

    wait_for(free, 60)
    assert list(paths.checkpoints.glob("step*")), "the state was saved"


def test_as_many_processes_as_there_are_cards(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert count_processes(1, use_gpu=True) == 1
    assert count_processes(2, use_gpu=True) == 2
    assert not caplog.text
    assert count_processes(4, use_gpu=True) == 2
    assert "4 GPUs were asked for, 2 are visible" in caplog.text
    assert count_processes(0, use_gpu=False) == 1
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert count_processes(2, use_gpu=True) == 2

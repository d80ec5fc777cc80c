"""What TensorBoard shows after a restart, a stop or a divergence."""

import os
import signal

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from lib.files import read_json
from lib.training.non_finite_steps import TrainingDivergedError
from lib.training.settings import NETWORKS
from lib.training.step import TrainStep
from lib.training.trainer import TrainingInterrupted
from tests.fixtures.training import run


def steps_of(folder) -> list[int]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.step for event in events.Scalars("train/mel")]


def test_a_new_start_keeps_the_earlier_curves_as_another_run(paths):
    run(paths, epochs=2)
    run(paths, epochs=1, learning_rate=1e-4)
    assert steps_of(paths.tensorboard) == [0, 1]
    (earlier,) = (path for path in paths.tensorboard.iterdir() if path.is_dir())
    assert steps_of(earlier) == [0, 1, 2, 3]
    run(paths, epochs=1, learning_rate=1e-5)
    runs = [steps_of(path) for path in paths.tensorboard.iterdir() if path.is_dir()]
    assert sorted(map(len, runs)) == [2, 4]


def test_going_on_keeps_one_run_without_double_points(paths):
    run(paths, epochs=1)
    run(paths, epochs=2)
    assert steps_of(paths.tensorboard) == [0, 1, 2, 3]
    assert not any(path.is_dir() for path in paths.tensorboard.iterdir())


@pytest.fixture
def closed(monkeypatch):
    found = []
    original = SummaryWriter.close

    def close(writer):
        found.append(True)
        original(writer)

    monkeypatch.setattr(SummaryWriter, "close", close)
    return found


def test_a_stop_by_a_signal_writes_the_last_points(paths, monkeypatch, closed):
    original = TrainStep.apply

    def apply(train_step, step):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(train_step, step)

    monkeypatch.setattr(TrainStep, "apply", apply)
    with pytest.raises(TrainingInterrupted):
        run(paths)
    assert closed == [True]
    assert steps_of(paths.tensorboard) == [0, 1, 2]


def test_a_divergence_writes_the_last_points(paths, monkeypatch, closed):
    original = TrainStep.accumulate

    def accumulate(train_step, batch, step, learning=NETWORKS):
        means = original(train_step, batch, step, learning)
        if step > 1:
            next(train_step.model.parameters()).grad[0] = float("nan")
        return means

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    with pytest.raises(TrainingDivergedError):
        run(paths, max_skipped_steps=1)
    assert closed == [True]
    assert steps_of(paths.tensorboard) == [0, 1, 2]


# ---------------------------------------------------------------- fp16's loss scale


@pytest.fixture
def scaled(monkeypatch):
    """A gradient scaler that starts far too high, as on a card."""
    original = TrainStep.__init__

    def init(train_step, *arguments):
        original(train_step, *arguments)
        train_step.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)

    monkeypatch.setattr(TrainStep, "__init__", init)
    apply = TrainStep.apply

    def overflow(train_step, step):
        """Half precision on a CPU would be slow: gradients above its range are set to inf."""
        for name in train_step.learning:
            for group in train_step.optimizers[name].param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad[parameter.grad.abs() > 65504.0] = float("inf")
        return apply(train_step, step)

    monkeypatch.setattr(TrainStep, "apply", overflow)


def test_finding_the_loss_scale_blames_no_clip(paths, scaled, caplog):
    caplog.set_level("INFO")
    run(paths, epochs=4, max_skipped_steps=1)
    summary = read_json(paths.summary)
    assert summary["overflowed_steps"] > 2
    assert summary["skipped_steps"] == 0
    assert "loss scale is lowered" in caplog.text
    assert "Clips:" not in caplog.text


def test_a_loss_that_is_not_finite_names_its_clips_in_fp16_too(paths, scaled, monkeypatch, caplog):
    original = TrainStep.accumulate

    def accumulate(train_step, batch, step, learning=NETWORKS):
        means = original(train_step, batch, step, learning)
        if step == 6:
            means["mel"] = means["mel"] * float("nan")
            next(train_step.model.parameters()).grad[0] = float("nan")
        return means

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    run(paths, epochs=4)
    assert read_json(paths.summary)["skipped_steps"] == 1
    assert "Step 6 skipped: no finite gradient. Clips: clip" in caplog.text


def test_a_scale_that_never_comes_right_stops(paths, scaled, monkeypatch):
    monkeypatch.setattr("lib.training.non_finite_steps.MOST_OVERFLOWS", 3)
    original = TrainStep.accumulate

    def accumulate(train_step, batch, step, learning=NETWORKS):
        means = original(train_step, batch, step, learning)
        next(train_step.discriminator.parameters()).grad[0] = float("inf")
        return means

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    with pytest.raises(TrainingDivergedError, match=r"4 steps in a row.*bf16"):
        run(paths)

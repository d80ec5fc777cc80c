"""The loop: what is logged, skipped, scaled and split."""

import dataclasses
import json

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import VitsTokenizer

from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.training.checkpoint import TrainState
from lib.training.logging import Throughput
from lib.training.non_finite_steps import TrainingDivergedError
from lib.training.run import train
from lib.training.settings import NETWORKS
from lib.training.step import TrainStep
from lib.training.trainer import Trainer
from lib.training.validation import Validator
from tests.fixtures.training import QUICK, weights


def test_tensorboard_has_everything_once_and_it_learns(undisturbed):
    events = EventAccumulator(str(undisturbed.tensorboard))
    events.Reload()
    tags = events.Tags()
    for name in ("mel", "kl", "duration", "adversarial", "feature", "discriminator"):
        assert f"train/{name}" in tags["scalars"]
    for tag in ("gradient_norm/generator", "optimizer/learning_rate", "optimizer/skipped_steps"):
        assert tag in tags["scalars"]
    paces = [event.value for event in events.Scalars("optimizer/clips_per_second")]
    assert len(paces) == 8 and min(paces) > 0
    shares = [event.value for event in events.Scalars("optimizer/data_share")]
    assert len(shares) == 8 and all(0 < share < 1 for share in shares)
    assert {"validation/mel_true", "validation/mel_generated", "validation/alignment"} <= set(
        tags["images"]
    )
    assert "samples/spk001" in tags["audio"]
    scores = events.Scalars("validation/score")
    assert [event.step for event in scores] == [1, 3, 5, 7]
    assert scores[-1].value < scores[0].value
    assert [event.step for event in events.Scalars("train/mel")] == list(range(8))


def test_learning_rate_warms_up_by_steps_and_decays_by_epochs(base):
    settings = dataclasses.replace(
        QUICK,
        learning_rate=0.1,
        learning_rate_decay=0.5,
        warmup_steps=4,
        speaker_learning_rate_factor=10.0,
    )
    train_step = TrainStep(settings, BaseModel.open(base), Accelerator(cpu=True))
    rates = [
        train_step.set_learning_rate(TrainState(epoch=epoch, step=step))
        for epoch, step in ((0, 0), (0, 1), (0, 3), (1, 9), (3, 20))
    ]
    assert rates == pytest.approx([0.025, 0.05, 0.1, 0.05, 0.0125])
    others, speakers = train_step.optimizers["generator"].param_groups
    assert speakers["lr"] == pytest.approx(0.125)
    assert others["lr"] == pytest.approx(0.0125)
    assert [p is train_step.model.embed_speaker.weight for p in speakers["params"]] == [True]


def test_the_loss_scale_is_part_of_the_state(base):
    train_step = TrainStep(QUICK, BaseModel.open(base), Accelerator(cpu=True))
    train_step.scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    saved = train_step.checkpoint(TrainState(), {})
    other = TrainStep(QUICK, BaseModel.open(base), Accelerator(cpu=True))
    other.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    other.restore(saved)
    assert other.scaler.get_scale() == 128.0


def test_half_precision_autocast_learns_the_same(base, dataset):
    """bf16 has a CPU path: losses stay finite and near those of fp32, islands keep fp32."""
    opened = BaseModel.open(base)
    tokenizer = VitsTokenizer.from_pretrained(base)
    clips = load_clips(dataset / "train", tokenizer, opened.speakers)
    losses = []
    for precision in ("no", "bf16"):
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(cpu=True, mixed_precision=precision)
        train_step = TrainStep(QUICK, opened, accelerator)
        with torch.no_grad():
            # As loud as speech. A random decoder whispers: there half precision's own noise is
            # what fills the quiet bands, and the mel loss with it.
            train_step.model.decoder.conv_post.weight.mul_(100)
        losses.append(train_step.accumulate([clips[:2], clips[2:4]], step=0))
        assert train_step.apply(0)[0]
    AcceleratorState._reset_state(reset_partial_state=True)
    for name, value in losses[0].items():
        assert losses[1][name].dtype == torch.float32
        assert losses[1][name].item() == pytest.approx(value.item(), rel=0.01), name


def test_a_scaled_loss_gives_the_same_step(base, dataset):
    """With a loss scale as fp16 has it, gradients are unscaled once before the step."""
    results = []
    for scale in (None, 1024.0):
        train_step = TrainStep(QUICK, BaseModel.open(base), Accelerator(cpu=True))
        if scale:
            train_step.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        tokenizer = VitsTokenizer.from_pretrained(base)
        opened = BaseModel.open(base)
        clips = load_clips(dataset / "train", tokenizer, opened.speakers)
        train_step.accumulate([clips[:2], clips[2:4]], step=0)
        taken, norms = train_step.apply(0)
        assert taken
        results.append({name: float(norm) for name, norm in norms.items()})
    assert results[0] == pytest.approx(results[1], rel=1e-3)


def test_validation_gives_the_same_numbers_twice(undisturbed):
    trainer = Trainer(QUICK, undisturbed, use_gpu=False)
    train_step = trainer.train_step
    validator = Validator(trainer.validator.clips + trainer.clips, QUICK, trainer.accelerator)

    def run():
        torch.rand(1)
        return validator.measure(train_step.model, train_step.spectrogram)

    one, two = run(), run()
    assert one.losses == two.losses
    assert one.score == pytest.approx(
        45 * one.losses["mel"] + one.losses["kl"] + one.losses["duration"]
    )


def test_non_finite_steps_are_skipped_named_and_counted(paths, monkeypatch, caplog):
    original = TrainStep.accumulate

    def accumulate(train_step, batch, step, learning=NETWORKS):
        means = original(train_step, batch, step, learning)
        if step == 1:
            next(train_step.model.parameters()).grad[0] = float("nan")
        return means

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    train(dataclasses.replace(QUICK, epochs=1), paths, use_gpu=False, threads=1)
    assert json.loads(paths.summary.read_text())["skipped_steps"] == 1
    assert "Step 1 skipped" in caplog.text
    assert "clip0" in caplog.text
    assert all(torch.isfinite(v).all() for v in weights(paths.checkpoints, "epoch0001").values())


def test_too_many_skipped_steps_stop_with_advice(paths, monkeypatch):
    def accumulate(train_step, batch, step, learning=NETWORKS):
        for parameter in train_step.model.parameters():
            parameter.grad = torch.full_like(parameter, float("inf"))
        return {"mel": torch.zeros(())}

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    settings = dataclasses.replace(QUICK, max_skipped_steps=2)
    with pytest.raises(TrainingDivergedError, match=r"3 steps in a row.*bf16"):
        train(settings, paths, use_gpu=False, threads=1)


def test_out_of_memory_splits_the_micro_batch_and_goes_on(undisturbed, paths, monkeypatch, caplog):
    original = TrainStep.accumulate

    def accumulate(train_step, batch, step, learning=NETWORKS):
        if max(map(len, batch)) > 1:
            raise torch.cuda.OutOfMemoryError("simulated")
        return original(train_step, batch, step, learning)

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    train(dataclasses.replace(QUICK, epochs=1), paths, use_gpu=False, threads=1)
    assert "split to half their size" in caplog.text
    summary = json.loads(paths.summary.read_text())
    assert summary["step"] == 2
    # A run that goes on does not run out again.
    caplog.clear()
    train(dataclasses.replace(QUICK, epochs=2), paths, use_gpu=False, threads=1)
    assert "Out of memory" not in caplog.text


def test_a_clip_that_does_not_fit_alone_stops_with_advice(paths, monkeypatch):
    def accumulate(train_step, batch, step, learning=NETWORKS):
        raise torch.cuda.OutOfMemoryError("simulated")

    monkeypatch.setattr(TrainStep, "accumulate", accumulate)
    with pytest.raises(MemoryError, match=r"single clip.*training\.memory_gb"):
        train(QUICK, paths, use_gpu=False, threads=1)


def test_throughput_is_that_since_the_last_reading(monkeypatch):
    now = iter([100.0, 104.0, 106.0])
    monkeypatch.setattr("lib.training.logging.time.perf_counter", lambda: next(now))
    throughput = Throughput(torch.device("cpu"))
    throughput.count(12)
    throughput.count(8)
    assert throughput.read(data_seconds=1.0) == {"clips_per_second": 5.0, "data_share": 0.25}
    throughput.count(6)
    assert throughput.read(data_seconds=1.5) == {"clips_per_second": 3.0, "data_share": 0.25}

"""Training: exact resumption, skipped steps, best weights, new data."""

import dataclasses
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import VitsModel, VitsTokenizer

from lib.locking import LockedError, take_lock
from lib.training.base_model import BaseModel
from lib.training.checkpoint import Progress, load_checkpoint
from lib.training.data import load_clips
from lib.training.export import export_trained
from lib.training.interruption import TrainingInterrupted
from lib.training.learner import NETWORKS, Learner
from lib.training.loop import Trainer, TrainingDivergedError, train
from lib.training.settings import TrainingSettings
from lib.training.validation import validate

from .conftest import make_paths, make_row, prepare, write_dataset

ROOT = Path(__file__).resolve().parents[2]


def weights(checkpoints: Path, name: str = "epoch0004") -> dict[str, torch.Tensor]:
    saved = load_checkpoint(checkpoints / name)
    parts = {"generator": saved.generator, "ema": saved.ema, "d": saved.discriminator}
    return {f"{part}.{k}": v for part, state in parts.items() for k, v in state.items()}


def assert_equal(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert different == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, dataset, base):
    """Checkpoints of four epochs in one go."""
    paths = make_paths(tmp_path_factory.mktemp("undisturbed"), dataset, base)
    train(QUICK, paths, use_gpu=False, threads=1)
    return paths


QUICK = TrainingSettings(
    epochs=4,
    learning_rate=1e-3,
    effective_batch=4,
    segment_frames=8,
    discriminator_channels=1,
    discriminator_warmup_steps=1,
    ema_decay=0.5,
    checkpoint_every=1,
    samples_every=100,
    log_every=1,
)


def test_two_and_two_epochs_equal_four_bit_for_bit(undisturbed, paths):
    train(dataclasses.replace(QUICK, epochs=2), paths, use_gpu=False, threads=1)
    train(QUICK, paths, use_gpu=False, threads=1)
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))


def test_the_generator_learns_alone_then_the_discriminator_then_both(paths):
    settings = dataclasses.replace(
        QUICK, epochs=2, discriminator_start_step=1, discriminator_warmup_steps=1
    )
    trainer = Trainer(settings, paths, use_gpu=False)
    networks = {"generator": trainer.learner.model, "discriminator": trainer.learner.discriminator}
    window = trainer._windows(0)[0]

    def snapshot(network):
        return {k: v.clone() for k, v in network.state_dict().items()}

    for step, expected in enumerate([["generator"], ["discriminator"], list(NETWORKS)]):
        before = {name: snapshot(network) for name, network in networks.items()}
        losses = trainer.learner.accumulate(window, step, trainer._learning(step))
        trainer.learner.apply(step)
        moved = [
            name
            for name, network in networks.items()
            if any(not torch.equal(v, before[name][k]) for k, v in network.state_dict().items())
        ]
        assert moved == expected
        assert ("discriminator" in losses) == ("discriminator" in expected)


def test_a_signal_within_an_epoch_saves_and_resuming_is_exact(undisturbed, paths, monkeypatch):
    taken = []
    original = Learner.apply

    def apply(learner, step):
        taken.append(step)
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(learner, step)

    monkeypatch.setattr(Learner, "apply", apply)
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
        "from lib.training.loop import TrainingPaths, train\n"
        "from lib.training.settings import TrainingSettings\n"
        "from lib.vits.losses import LossWeights\n"
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
    monkeypatch.setattr(Learner, "accumulate", lambda *_: pytest.fail("trained again"))
    trainer = Trainer(QUICK, undisturbed, use_gpu=False)
    trainer.run()
    assert trainer.progress.epoch == 4


def test_tensorboard_has_everything_once_and_it_learns(undisturbed):
    events = EventAccumulator(str(undisturbed.tensorboard))
    events.Reload()
    tags = events.Tags()
    for name in ("mel", "kl", "duration", "adversarial", "feature", "discriminator"):
        assert f"train/{name}" in tags["scalars"]
    for tag in ("gradient_norm/generator", "optimizer/learning_rate", "optimizer/skipped_steps"):
        assert tag in tags["scalars"]
    assert {"validation/mel_true", "validation/mel_generated", "validation/alignment"} <= set(
        tags["images"]
    )
    assert "samples/spk001" in tags["audio"]
    scores = events.Scalars("validation/score")
    assert [event.step for event in scores] == [1, 3, 5, 7]
    assert scores[-1].value < scores[0].value
    assert [event.step for event in events.Scalars("train/mel")] == list(range(8))


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
    assert load_checkpoint(paths.checkpoints / "best").progress.epoch == 2
    train(QUICK, paths, use_gpu=False, threads=1)
    assert_equal(
        weights(paths.checkpoints, "epoch0002"), weights(undisturbed.checkpoints, "epoch0002")
    )
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))


def test_learning_rate_warms_up_by_steps_and_decays_by_epochs(base):
    settings = dataclasses.replace(
        QUICK,
        learning_rate=0.1,
        learning_rate_decay=0.5,
        warmup_steps=4,
        speaker_learning_rate_factor=10.0,
    )
    learner = Learner(settings, BaseModel.open(base), Accelerator(cpu=True))
    rates = [
        learner.set_learning_rate(Progress(epoch=epoch, step=step))
        for epoch, step in ((0, 0), (0, 1), (0, 3), (1, 9), (3, 20))
    ]
    assert rates == pytest.approx([0.025, 0.05, 0.1, 0.05, 0.0125])
    others, speakers = learner.optimizers["generator"].param_groups
    assert speakers["lr"] == pytest.approx(0.125)
    assert others["lr"] == pytest.approx(0.0125)
    assert [p is learner.model.embed_speaker.weight for p in speakers["params"]] == [True]


def test_the_loss_scale_is_part_of_the_state(base):
    learner = Learner(QUICK, BaseModel.open(base), Accelerator(cpu=True))
    learner.scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    saved = learner.checkpoint(Progress(), {})
    other = Learner(QUICK, BaseModel.open(base), Accelerator(cpu=True))
    other.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    other.restore(saved)
    assert other.scaler.get_scale() == 128.0


def test_half_precision_autocast_learns_the_same(base, dataset):
    """bf16 has a CPU path: losses stay finite and near those of fp32, islands keep fp32."""
    opened = BaseModel.open(base)
    tokenizer = VitsTokenizer.from_pretrained(base)
    clips = load_clips(dataset / "train", tokenizer, opened.speakers, opened.texts())
    losses = []
    for precision in ("no", "bf16"):
        AcceleratorState._reset_state()
        accelerator = Accelerator(cpu=True, mixed_precision=precision)
        learner = Learner(QUICK, opened, accelerator)
        losses.append(learner.accumulate([clips[:2], clips[2:4]], step=0))
        assert learner.apply(0)[0]
    AcceleratorState._reset_state()
    for name, value in losses[0].items():
        assert losses[1][name].dtype == torch.float32
        assert losses[1][name].item() == pytest.approx(value.item(), rel=0.05), name


def test_a_scaled_loss_gives_the_same_step(base, dataset):
    """With a loss scale as fp16 has it, gradients are unscaled once before the step."""
    results = []
    for scale in (None, 1024.0):
        learner = Learner(QUICK, BaseModel.open(base), Accelerator(cpu=True))
        if scale:
            learner.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        tokenizer = VitsTokenizer.from_pretrained(base)
        opened = BaseModel.open(base)
        clips = load_clips(dataset / "train", tokenizer, opened.speakers, opened.texts())
        learner.accumulate([clips[:2], clips[2:4]], step=0)
        taken, norms = learner.apply(0)
        assert taken
        results.append({name: float(norm) for name, norm in norms.items()})
    assert results[0] == pytest.approx(results[1], rel=1e-3)


def test_validation_gives_the_same_numbers_twice(undisturbed):
    trainer = Trainer(QUICK, undisturbed, use_gpu=False)
    learner = trainer.learner

    def run():
        torch.rand(1)
        return validate(
            learner.model,
            trainer.held_out + trainer.clips,
            learner.spectrogram,
            QUICK.loss_weights,
            8,
            2,
            QUICK.seed,
            learner.device,
        )

    one, two = run(), run()
    assert one.losses == two.losses
    assert one.score == pytest.approx(
        45 * one.losses["mel"] + one.losses["kl"] + one.losses["duration"]
    )


def test_non_finite_steps_are_skipped_named_and_counted(paths, monkeypatch, caplog):
    original = Learner.accumulate

    def accumulate(learner, window, step, learning=NETWORKS):
        means = original(learner, window, step, learning)
        if step == 1:
            next(learner.model.parameters()).grad[0] = float("nan")
        return means

    monkeypatch.setattr(Learner, "accumulate", accumulate)
    train(dataclasses.replace(QUICK, epochs=1), paths, use_gpu=False, threads=1)
    assert json.loads(paths.summary.read_text())["skipped_steps"] == 1
    assert "Step 1 skipped" in caplog.text
    assert "clip0" in caplog.text
    assert all(torch.isfinite(v).all() for v in weights(paths.checkpoints, "epoch0001").values())


def test_too_many_skipped_steps_stop_with_advice(paths, monkeypatch):
    def accumulate(learner, window, step, learning=NETWORKS):
        for parameter in learner.model.parameters():
            parameter.grad = torch.full_like(parameter, float("inf"))
        return {}

    monkeypatch.setattr(Learner, "accumulate", accumulate)
    settings = dataclasses.replace(QUICK, max_skipped_steps=2)
    with pytest.raises(TrainingDivergedError, match=r"3 steps in a row.*bf16"):
        train(settings, paths, use_gpu=False, threads=1)


def test_out_of_memory_splits_the_micro_batch_and_goes_on(undisturbed, paths, monkeypatch, caplog):
    original = Learner.accumulate

    def accumulate(learner, window, step, learning=NETWORKS):
        if max(map(len, window)) > 1:
            raise torch.cuda.OutOfMemoryError("simulated")
        return original(learner, window, step, learning)

    monkeypatch.setattr(Learner, "accumulate", accumulate)
    train(dataclasses.replace(QUICK, epochs=1), paths, use_gpu=False, threads=1)
    assert "split to 1" in caplog.text
    assert json.loads(paths.summary.read_text())["step"] == 2


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


@pytest.fixture
def grown(tmp_path, undisturbed):
    """The undisturbed training's checkpoints, and data with a clip of a third speaker."""
    words = ["hello there", "good day", "a longer sentence", "yes", "no", "zebra crossing é"]
    rows = [make_row(i, w, f"spk{i % 2:03d}", 0.8 + 0.2 * i) for i, w in enumerate(words[:5])]
    rows.append(make_row(9, words[5], "spk002", 1.5))
    dataset = write_dataset(tmp_path / "dataset", rows, [])
    base = prepare(tmp_path, dataset, ["spk000", "spk001", "spk002"])
    paths = make_paths(tmp_path, dataset, base)
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    return paths


def test_new_data_continues_from_the_earlier_weights(grown, undisturbed, caplog):
    settings = dataclasses.replace(QUICK, continue_epochs=1)
    trainer = Trainer(settings, grown, use_gpu=False)
    earlier = weights(undisturbed.checkpoints)
    table = trainer.learner.model.embed_speaker.weight.detach()
    assert len(table) == 3
    assert torch.equal(table[:2], earlier["ema.embed_speaker.weight"])
    assert trainer.epochs == 1
    assert trainer.progress.step == 0
    # Its discriminator is no longer a fresh one, also after an interruption.
    assert trainer.phases == (0, 0)
    trainer.run()
    assert Trainer(settings, grown, use_gpu=False).phases == (0, 0)
    assert json.loads(grown.summary.read_text())["epoch"] == 1
    assert list(grown.checkpoints.parent.glob("checkpoints.*/epoch0004"))
    assert "The data has changed" in caplog.text


def test_a_kill_right_after_new_data_was_taken_up_loses_nothing(grown, tmp_path):
    """The earlier weights are saved as a first checkpoint before their own ones move aside."""
    settings = dataclasses.replace(QUICK, continue_epochs=1)
    undisturbed = dataclasses.replace(
        grown,
        checkpoints=tmp_path / "other/checkpoints",
        tensorboard=tmp_path / "other/tensorboard",
        summary=tmp_path / "other/training.json",
    )
    shutil.copytree(grown.checkpoints, undisturbed.checkpoints)
    train(settings, undisturbed, use_gpu=False, threads=1)
    Trainer(settings, grown, use_gpu=False)
    # Nothing else was saved: as after kill -9 in the first minutes.
    train(settings, grown, use_gpu=False, threads=1)
    assert json.loads(grown.summary.read_text())["epoch"] == 1
    assert_equal(
        weights(grown.checkpoints, "epoch0001"), weights(undisturbed.checkpoints, "epoch0001")
    )


def test_new_data_restarts_from_the_base_if_asked_to(grown):
    settings = dataclasses.replace(QUICK, on_new_data="restart")
    trainer = Trainer(settings, grown, use_gpu=False)
    fresh = VitsModel.from_pretrained(grown.base_model)
    assert torch.equal(trainer.learner.model.decoder.conv_pre.weight, fresh.decoder.conv_pre.weight)
    assert trainer.epochs == 4


def test_exported_model_is_plain_transformers(undisturbed, base, tmp_path):
    export_trained(undisturbed.summary, "best", base, tmp_path / "model", "eng")
    script = f"""
import json, sys, torch
from transformers import VitsModel, VitsTokenizer
assert not any(name == "lib" or name.startswith("lib.") for name in sys.modules)
model = VitsModel.from_pretrained({str(tmp_path / "model")!r})
tokenizer = VitsTokenizer.from_pretrained({str(tmp_path / "model")!r})
speakers = json.load(open({str(tmp_path / "model/speakers.json")!r}))
assert speakers["spk001"] == {{"index": 1, "name": "name of spk001"}}, speakers
with torch.no_grad():
    out = model(**tokenizer("hello", return_tensors="pt"), speaker_id=1)
assert out.waveform.shape[1] > 0 and torch.isfinite(out.waveform).all()
"""
    subprocess.run([sys.executable, "-I", "-c", script], check=True, cwd=tmp_path)


def test_exported_weights_are_the_average_of_the_best_epoch(undisturbed, base, tmp_path):
    summary = json.loads(undisturbed.summary.read_text())
    assert summary["best_epoch"] is not None
    export_trained(undisturbed.summary, "best", base, tmp_path / "model", "eng")
    model = VitsModel.from_pretrained(tmp_path / "model")
    best = load_checkpoint(Path(summary["best"]))
    assert best.progress.epoch == summary["best_epoch"]
    name = "text_encoder.embed_tokens.weight"
    assert torch.equal(model.state_dict()[name], best.ema[name])
    assert not torch.equal(best.ema[name], best.generator[name])
    card = (tmp_path / "model/README.md").read_text()
    assert f"Epoch {summary['best_epoch']}" in card


def test_training_without_validation_clips_exports_the_last_epoch(tmp_path, base, dataset):
    rows = [make_row(i, "hello there", f"spk{i % 2:03d}", 1.0) for i in range(3)]
    alone = write_dataset(tmp_path / "dataset", rows, [])
    base = prepare(tmp_path, alone, ["spk000", "spk001"])
    paths = make_paths(tmp_path, alone, base)
    train(dataclasses.replace(QUICK, epochs=1), paths, use_gpu=False, threads=1)
    assert json.loads(paths.summary.read_text())["best"].endswith("epoch0001")
    export_trained(paths.summary, "best", base, tmp_path / "model", "eng")
    assert VitsTokenizer.from_pretrained(tmp_path / "model").vocab_size > 0


def test_a_second_training_over_the_same_checkpoints_is_refused(paths):
    """A killed run may leave its training behind: two would write over each other."""
    with take_lock(paths.checkpoints.parent / "state/training.lock", "training"):
        with pytest.raises(LockedError, match=f"process {os.getpid()} is training here already"):
            train(QUICK, paths, use_gpu=False, threads=1)
    assert not paths.checkpoints.exists()


def test_two_processes_train_to_the_weights_of_one(undisturbed, paths):
    """Each takes half of the micro-batches; gradients are summed over both."""
    script = paths.summary.with_name("train.py")
    values = ", ".join(f"{k}=Path({str(v)!r})" for k, v in vars(paths).items())
    script.write_text(
        "from pathlib import Path\n"
        "from lib.training.loop import TrainingPaths, train\n"
        "from lib.training.settings import TrainingSettings\n"
        "from lib.vits.losses import LossWeights\n"
        f"train({QUICK!r}, TrainingPaths({values}), use_gpu=False, threads=1)\n"
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    subprocess.run(
        [*launch, str(script)], check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    one, two = weights(undisturbed.checkpoints), weights(paths.checkpoints)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=2e-4, msg=name)
    events = list(paths.tensorboard.glob("events*"))
    assert len(events) == 1, "only one process logs"

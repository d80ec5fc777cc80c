"""Going on with something changed: precision, device, settings, validation clips, code, names."""

import dataclasses
import itertools
import json
import logging
import os
import shutil

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from lib.files import read_json
from lib.training import loop
from lib.training.base_model import BaseModel
from lib.training.checkpoint import (
    DamagedCheckpointError,
    load_checkpoint,
    newest_checkpoint,
    recover_checkpoints,
    save_checkpoint,
)
from lib.training.export import export_trained
from lib.training.loop import Trainer
from lib.training.run import train
from lib.training.settings import RESUMABLE, TrainingSettings

from .conftest import QUICK, assert_equal, make_paths, weights

PRECISIONS = ("fp32", "bf16", "fp16")


@pytest.fixture(autouse=True)
def own_state():
    yield
    AcceleratorState._reset_state()


def run(paths, code=None, texts=(), **changes) -> dict:
    # A training has a process of its own; here they share one.
    AcceleratorState._reset_state()
    train(dataclasses.replace(QUICK, **changes), paths, False, 1, texts, code=code)
    return read_json(paths.summary)


@pytest.fixture
def precisions(monkeypatch):
    """Let fp16 be what it is on a card, as far as a CPU can: with a gradient scaler that works."""

    def start(settings, use_gpu):
        AcceleratorState._reset_state()
        mixed = "bf16" if settings.precision == "bf16" else "no"
        accelerator = Accelerator(cpu=True, mixed_precision=mixed)
        if settings.precision == "fp16":
            accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
        return accelerator

    monkeypatch.setattr(loop, "start_accelerator", start)


@pytest.mark.parametrize(("before", "now"), [*itertools.product(PRECISIONS, repeat=2)])
def test_every_pair_of_precisions_goes_on(paths, precisions, before, now):
    run(paths, epochs=1, precision=before)
    assert run(paths, epochs=2, precision=now)["epoch"] == 2
    saved = load_checkpoint(paths.checkpoints / "epoch0002")
    assert bool(saved.optimizers["scaler"]) == (now == "fp16")
    assert all(torch.isfinite(v).all() for v in saved.generator.values())
    assert not list(paths.checkpoints.parent.glob("checkpoints.*"))


@pytest.mark.gpu
@pytest.mark.parametrize(("before", "now"), [*itertools.product(("cpu", *PRECISIONS), repeat=2)])
def test_every_pair_of_devices_and_precisions_goes_on_on_a_card(paths, before, now):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for epochs, kind in enumerate((before, now), 1):
        AcceleratorState._reset_state()
        precision = "fp16" if kind == "cpu" else kind
        settings = dataclasses.replace(QUICK, epochs=epochs, precision=precision)
        train(settings, paths, kind != "cpu", 1)
    assert read_json(paths.summary)["epoch"] == 2


OTHER = {
    "epochs": 3,
    "early_stopping_epochs": 50,
    "precision": "bf16",
    "memory_gb": 6.0,
    "log_every": 3,
    "validate_every": 2,
    "max_validation_clips": 0,
    "samples_every": 1,
    "checkpoint_every": 2,
    "keep": 1,
    "save_minutes": 0.0,
    "resume": True,
    "on_new_data": "restart",
    "continue_epochs": 7,
    "max_skipped_steps": 3,
}


def test_every_key_that_may_change_is_tried():
    assert OTHER.keys() == RESUMABLE


@pytest.mark.parametrize("key", sorted(RESUMABLE))
def test_a_key_that_may_change_lets_the_training_go_on(paths, key):
    run(paths, epochs=1)
    summary = run(paths, **{"epochs": 2, key: OTHER[key]})
    assert summary["epoch"] == (3 if key == "epochs" else 2)
    assert summary["finished"]
    assert not list(paths.checkpoints.parent.glob("checkpoints.*"))


@pytest.mark.parametrize(
    "key", sorted({f.name for f in dataclasses.fields(TrainingSettings)} - RESUMABLE)
)
def test_any_other_key_asks_for_a_new_start(paths, key):
    other = {
        "accumulation": 4,
        "gradient_clip": 1.0,
        "betas": (0.7, 0.99),
        "discriminator_periods": (2, 3),
        "loss_weights": QUICK.loss_weights._replace(mel=30.0),
    }
    value = other[key] if key in other else (getattr(QUICK, key) or 0) + 1
    recipe = Trainer(QUICK, paths, use_gpu=False).recipe
    changed = dataclasses.replace(QUICK, **{key: value})
    found = dataclasses.make_dataclass("Found", ["recipe"])(
        json.loads(json.dumps({**recipe, "settings": changed.as_dict()}))
    )
    assert loop.decide_resumption(found, recipe, QUICK) is loop.Resumption.FRESH


# ---------------------------------------------------------------- less than was done already


def test_fewer_epochs_than_were_trained_end_with_weights_that_are_there(
    paths, base, tmp_path, caplog
):
    run(paths, epochs=3, checkpoint_every=100, max_validation_clips=0)
    shutil.rmtree(paths.checkpoints / "epoch0003")
    # What is left is a state within the third epoch, as a kill leaves it.
    trainer = Trainer(
        dataclasses.replace(QUICK, epochs=3, checkpoint_every=100, max_validation_clips=0),
        paths,
        use_gpu=False,
    )
    trainer.progress.epoch, trainer.progress.window, trainer.progress.step = 2, 1, 5
    trainer._save("step00000005")
    summary = run(paths, epochs=1, checkpoint_every=100, max_validation_clips=0)
    assert "training.epochs is 1, and epoch 2 is done already" in caplog.text
    for choice in ("last", "best"):
        export_trained(paths.summary, choice, base, tmp_path / choice, "eng")
    assert summary["last"] == "checkpoints/step00000005"
    # With more epochs it goes on from there.
    assert run(paths, epochs=3, max_validation_clips=0)["last"] == "checkpoints/epoch0003"


@pytest.mark.parametrize("change", [{"epochs": 2}, {"epochs": 9, "early_stopping_epochs": 1}])
def test_stopping_below_the_progress_made_names_what_is_there(
    paths, base, tmp_path, monkeypatch, change
):
    scores = iter([1.0, 2.0, 3.0, 4.0])
    original = loop.validate

    def validate(*arguments):
        return dataclasses.replace(original(*arguments), weighted={"mel": next(scores)})

    monkeypatch.setattr(loop, "validate", validate)
    run(paths, epochs=3, checkpoint_every=100)
    # The third epoch is no milestone, and there was to be a fourth.
    state = load_checkpoint(paths.checkpoints / "epoch0003")
    state.progress.finished = False
    save_checkpoint(paths.checkpoints / "step00000006", state)
    shutil.rmtree(paths.checkpoints / "epoch0003")
    summary = run(paths, checkpoint_every=100, **change)
    assert summary["best_epoch"] == 1 and summary["finished"]
    assert (paths.summary.parent / summary["last"]).is_dir()
    for choice in ("last", "best"):
        export_trained(paths.summary, choice, base, tmp_path / choice, "eng")


@pytest.mark.parametrize("name", ["best", "epoch0004"])
def test_what_stepped_aside_when_it_was_killed_is_taken_back(undisturbed, paths, name):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    os.replace(paths.checkpoints / name, paths.checkpoints / f"{name}.old")
    with pytest.raises(DamagedCheckpointError):
        load_checkpoint(paths.checkpoints / name)
    run(paths)
    assert load_checkpoint(paths.checkpoints / name, voice_only=True).progress.epoch > 0
    assert not list(paths.checkpoints.glob("*.old"))


def test_the_best_of_an_earlier_epoch_is_taken_back(undisturbed, paths):
    """Killed between the two renames of `best`: nothing else has its weights."""
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    second = load_checkpoint(paths.checkpoints / "epoch0002")
    score = second.progress.best_score = -1e9  # No later epoch is better.
    second.progress.best_epoch = 2
    save_checkpoint(paths.checkpoints / "best", second)
    last = load_checkpoint(paths.checkpoints / "epoch0004")
    last.progress.best_score, last.progress.best_epoch = score, 2
    save_checkpoint(paths.checkpoints / "epoch0004", last)
    os.replace(paths.checkpoints / "best", paths.checkpoints / "best.old")
    summary = run(paths)
    assert (summary["best_epoch"], summary["best_score"]) == (2, score)
    kept = load_checkpoint(paths.checkpoints / "best", voice_only=True)
    assert_equal(dict(kept.ema), dict(second.ema))


def test_what_stepped_aside_goes_once_its_successor_is_there(undisturbed, paths):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    older = paths.checkpoints / "epoch0001"
    shutil.copytree(older, paths.checkpoints / "epoch0004.old")
    recover_checkpoints(paths.checkpoints)
    assert newest_checkpoint(paths.checkpoints).progress.epoch == 4
    assert not (paths.checkpoints / "epoch0004.old").exists()


# ---------------------------------------------------------------- the best


def test_the_best_costs_what_an_export_needs(undisturbed, base, tmp_path):
    files = {path.name for path in (undisturbed.checkpoints / "best").iterdir()}
    assert files == {"ema.safetensors", "state.json"}

    def size(name):
        return sum(path.stat().st_size for path in (undisturbed.checkpoints / name).iterdir())

    assert size("best") < 0.3 * size("epoch0004")
    export_trained(undisturbed.summary, "best", base, tmp_path / "model", "eng")


def test_a_best_saved_after_the_state_that_goes_on_stays_the_best(undisturbed, paths):
    """Killed after `best` of epoch 4 was saved and before the milestone: epoch 3 goes on."""
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    assert read_json(undisturbed.summary)["best_epoch"] == 4
    shutil.rmtree(paths.checkpoints / "epoch0004")
    trainer = Trainer(QUICK, paths, use_gpu=False)
    assert (trainer.progress.epoch, trainer.progress.best_epoch) == (3, 4)
    trainer.run()
    assert_equal(weights(paths.checkpoints), weights(undisturbed.checkpoints))
    one, two = (load_checkpoint(p.checkpoints / "best").ema for p in (paths, undisturbed))
    assert_equal(dict(one), dict(two))


def test_a_lost_best_is_said_and_the_next_ones_count(undisturbed, paths, caplog):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    shutil.rmtree(paths.checkpoints / "best")
    for epoch in (3, 4):
        shutil.rmtree(paths.checkpoints / f"epoch000{epoch}")
    saved = load_checkpoint(paths.checkpoints / "epoch0002")
    saved.progress.best_epoch = 1
    save_checkpoint(paths.checkpoints / "epoch0002", saved)
    summary = run(paths)
    assert "The best weights so far are lost" in caplog.text
    assert summary["best_epoch"] in (3, 4)
    assert (paths.checkpoints / "best").is_dir()


def test_scores_of_other_validation_clips_are_not_compared(tmp_path, base, dataset_of_three):
    paths = make_paths(tmp_path, dataset_of_three, base)
    first = run(paths, epochs=1, max_validation_clips=1)
    # A score that no other set could reach: it must not stand.
    for name in ("best", "epoch0001"):
        saved = load_checkpoint(paths.checkpoints / name)
        saved.progress.best_score = -1e9
        save_checkpoint(paths.checkpoints / name, saved)
    settings = dataclasses.replace(QUICK, epochs=1, max_validation_clips=3)
    trainer = Trainer(settings, paths, use_gpu=False)
    with trainer.learner.ema.applied():
        expected = trainer._measure()
    assert trainer.progress.best_score == pytest.approx(expected.score)
    assert trainer.progress.best_score != pytest.approx(first["best_score"])
    assert trainer.progress.best_epoch == 1
    record = load_checkpoint(paths.checkpoints / "best").progress
    assert record.best_score == pytest.approx(expected.score) and record.epoch == 1
    # Once more it need not be measured again.
    again = Trainer(settings, paths, use_gpu=False)
    assert again.progress.best_score == trainer.progress.best_score


def test_the_choice_of_the_best_says_what_it_rests_on(undisturbed):
    summary = read_json(undisturbed.summary)
    assert summary["best_losses"].keys() == {"mel", "kl", "duration"}
    assert sum(summary["best_losses"].values()) == pytest.approx(summary["best_score"])


# ---------------------------------------------------------------- what else decides


def changed_base(base, tmp_path, **changes) -> BaseModel:
    folder = tmp_path / "changed_base"
    shutil.copytree(base, folder)
    record = {**read_json(folder / "base.json"), **changes}
    (folder / "base.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discriminator_digest": "other"}, "The discriminator that it starts with has changed"),
        ({"letters": {"ŋ": ["n", "g"]}}, "The new letter ŋ starts from ['n', 'g'] instead of"),
        ({"speaker_starts": {"spk000": "voice 3 of the base"}}, "spk000 starts from voice 3"),
    ],
)
def test_what_else_decides_asks_for_a_new_start(
    undisturbed, paths, base, tmp_path, caplog, changes, message
):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    changed = dataclasses.replace(paths, base_model=changed_base(base, tmp_path, **changes))
    trainer = Trainer(QUICK, changed, use_gpu=False)
    assert trainer.progress.epoch == 0
    assert message in caplog.text and "starting afresh" in caplog.text
    assert list(paths.checkpoints.parent.glob("checkpoints.*/epoch0004"))


def test_embeddings_that_moved_are_said_and_cost_nothing(
    undisturbed, paths, base, tmp_path, caplog
):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    starts = read_json(base / "base.json")["speaker_starts"]
    assert all(start.startswith(BaseModel.FROM_EMBEDDING) for start in starts.values())
    moved = {**starts, "spk001": f"{BaseModel.FROM_EMBEDDING} 123"}
    changed = dataclasses.replace(
        paths, base_model=changed_base(base, tmp_path, speaker_starts=moved)
    )
    assert Trainer(QUICK, changed, use_gpu=False).progress.epoch == 4
    assert "have changed since (spk001)" in caplog.text


def test_a_checkpoint_of_an_earlier_version_goes_on(undisturbed, paths):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    state = read_json(paths.checkpoints / "epoch0004/state.json")
    for key in ("discriminator", "letters", "speaker_starts", "code"):
        del state["recipe"][key]
    for key in ("overflowed_steps", "best_losses", "validated_on", "memory"):
        del state["progress"][key]
    (paths.checkpoints / "epoch0004/state.json").write_text(json.dumps(state))
    assert Trainer(QUICK, paths, use_gpu=False).progress.epoch == 4


# ---------------------------------------------------------------- code


def test_the_code_of_the_weights_is_on_record_and_other_code_is_said(paths, caplog):
    assert run(paths, "aaa", epochs=1)["code"] == {
        "now": "aaa",
        "trained_by": [{"code": "aaa", "from_step": 0}],
        "is_other": False,
    }
    caplog.clear()
    assert run(paths, "bbb", epochs=1)["code"] == {
        "now": "bbb",
        "trained_by": [{"code": "aaa", "from_step": 0}],
        "is_other": True,
    }
    assert "nothing is trained" in caplog.text and "training.resume: false" in caplog.text
    assert run(paths, "bbb", epochs=2)["code"]["trained_by"] == [
        {"code": "aaa", "from_step": 0},
        {"code": "bbb", "from_step": 2},
    ]
    assert run(paths, "ccc", epochs=2, resume=False)["code"]["trained_by"] == [
        {"code": "ccc", "from_step": 0}
    ]


# ---------------------------------------------------------------- where things are


def test_a_run_that_was_moved_exports_its_own_weights(tmp_path, dataset, base, monkeypatch):
    """`mv results results_v1`, then a new run in `results`: v1 is still v1."""
    monkeypatch.chdir(tmp_path)
    paths = make_paths(tmp_path / "results", dataset, base)
    summary = run(paths, epochs=1)
    assert (summary["best"], summary["last"], summary["tensorboard"]) == (
        "checkpoints/best",
        "checkpoints/epoch0001",
        "tensorboard",
    )
    os.replace("results", "results_v1")
    run(paths, epochs=1, seed=99)
    models = {}
    for name in ("results", "results_v1"):
        export_trained(tmp_path / name / "training.json", "last", base, tmp_path / f"m_{name}", "e")
        models[name] = (tmp_path / f"m_{name}/model.safetensors").read_bytes()
    assert models["results"] != models["results_v1"]
    ema = load_checkpoint(tmp_path / "results_v1/checkpoints/epoch0001").ema
    from safetensors.torch import load

    name = "text_encoder.embed_tokens.weight"
    assert torch.equal(load(models["results_v1"])[name], ema[name])


def test_a_checkpoint_that_is_gone_is_named(undisturbed, base, tmp_path):
    moved = tmp_path / "training.json"
    shutil.copy(undisturbed.summary, moved)
    with pytest.raises(ValueError, match=r"names checkpoints/best as its best.*run again"):
        export_trained(moved, "best", base, tmp_path / "model", "eng")


# ---------------------------------------------------------------- samples


def test_the_sample_in_tensorboard_is_written_as_the_voice_writes_it(paths, base, tmp_path, caplog):
    folder = tmp_path / "with_mapping"
    shutil.copytree(base, folder)
    (folder / "text.json").write_text(json.dumps({"mapping": {"5": "five"}}))
    changed = dataclasses.replace(paths, base_model=folder)
    trainer = Trainer(QUICK, changed, use_gpu=False, texts=["Five 5 ❤ ж"])
    assert trainer.sample_ids == trainer.tokenizer("five five").input_ids
    assert "ж" in caplog.text
    nothing = Trainer(QUICK, changed, use_gpu=False, texts=["жж"])
    assert nothing.sample_ids == nothing.held_out[0].input_ids.tolist()


def test_logging_of_a_resumed_training_says_where(paths, caplog):
    run(paths, epochs=1)
    caplog.set_level(logging.INFO)
    run(paths, epochs=2)
    assert "Going on at epoch 1, step 2" in caplog.text

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
from transformers import VitsTokenizer

from lib.base_model.export import export_trained
from lib.base_model.record import BaseModel
from lib.base_model.weights import _EARLIER_NAMES, rename_keys
from lib.config.training import TrainingSettings
from lib.files import read_json
from lib.training.checkpoint import load_checkpoint
from lib.training.resume import Start, decide_start
from lib.training.run import train
from lib.training.settings import EARLIER_KEYS, RESUMABLE
from lib.training.trainer import Trainer
from tests.fixtures.training import QUICK, make_paths, run

PRECISIONS = ("fp32", "bf16", "fp16")


@pytest.fixture
def precisions(monkeypatch):
    """Let fp16 be what it is on a card, as far as a CPU can: with a gradient scaler that works."""

    def start(settings, use_gpu):
        AcceleratorState._reset_state(reset_partial_state=True)
        mixed = "bf16" if settings.mixed_precision == "bf16" else "no"
        accelerator = Accelerator(cpu=True, mixed_precision=mixed)
        if settings.mixed_precision == "fp16":
            accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
        return accelerator

    monkeypatch.setattr("lib.training.trainer.start_accelerator", start)


@pytest.mark.parametrize(("before", "now"), [*itertools.product(PRECISIONS, repeat=2)])
def test_every_pair_of_precisions_goes_on(paths, precisions, before, now):
    run(paths, epochs=1, mixed_precision=before)
    assert run(paths, epochs=2, mixed_precision=now)["epoch"] == 2
    saved = load_checkpoint(paths.checkpoints / "epoch0002")
    assert bool(saved.optimizers["scaler"]) == (now == "fp16")
    assert all(torch.isfinite(v).all() for v in saved.generator.values())
    assert not list(paths.checkpoints.parent.glob("checkpoints.*"))


@pytest.mark.gpu
@pytest.mark.parametrize(("before", "now"), [*itertools.product(("cpu", *PRECISIONS), repeat=2)])
def test_every_pair_of_devices_and_precisions_goes_on_on_a_card(paths, caplog, before, now):
    caplog.set_level("INFO")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for epochs, kind in enumerate((before, now), 1):
        AcceleratorState._reset_state(reset_partial_state=True)
        precision = "fp16" if kind == "cpu" else kind
        settings = dataclasses.replace(QUICK, epochs=epochs, mixed_precision=precision)
        train(settings, paths, kind != "cpu", 1)
        device = "cpu in fp32" if kind == "cpu" else f"cuda in {kind}"
        assert f"Training on {device}" in caplog.text
        caplog.clear()
    assert read_json(paths.summary)["epoch"] == 2


OTHER = {
    "epochs": 3,
    "early_stopping_epochs": 50,
    "mixed_precision": "bf16",
    "memory_gb": 6.0,
    "log_every": 3,
    "validate_every": 2,
    "max_validation_clips": 0,
    "samples_every": 1,
    "checkpoint_every": 2,
    "keep_checkpoints": 1,
    "keep_at": "kept",
    "save_minutes": 0.0,
    "resume": True,
    "on_new_data": "restart",
    "continue_epochs": 7,
    "max_skipped_steps": 3,
}


def test_every_key_that_may_change_is_tried():
    assert OTHER.keys() == RESUMABLE


@pytest.mark.parametrize("key", sorted(RESUMABLE))
def test_a_key_that_may_change_lets_the_training_go_on(paths, key, monkeypatch):
    monkeypatch.chdir(paths.checkpoints.parent)  # where keep_at copies to
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
        "gradient_accumulation_steps": 4,
        "max_grad_norm": 1.0,
        "betas": (0.7, 0.99),
        "discriminator_periods": (2, 3),
        "loss_weights": dataclasses.replace(QUICK.loss_weights, mel=30.0),
    }
    value = other[key] if key in other else (getattr(QUICK, key) or 0) + 1
    signature = Trainer(QUICK, paths, use_gpu=False).signature
    changed = dataclasses.replace(QUICK, **{key: value})
    found = dataclasses.make_dataclass("Found", ["signature"])(
        json.loads(json.dumps({**signature, "settings": changed.as_dict()}))
    )
    assert decide_start(found, signature, QUICK) is Start.FRESH


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
    assert trainer.state.epoch == 0
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
    assert Trainer(QUICK, changed, use_gpu=False).state.epoch == 4
    assert "have changed since (spk001)" in caplog.text


def test_a_checkpoint_of_an_earlier_version_goes_on(undisturbed, paths):
    shutil.copytree(undisturbed.checkpoints, paths.checkpoints)
    state = read_json(paths.checkpoints / "epoch0004/state.json")
    for key in ("discriminator", "letters", "speaker_starts", "code"):
        del state["signature"][key]
    for key in ("overflowed_steps", "best_losses", "validated_on", "memory"):
        del state["state"][key]
    names = {new: old for old, new in _EARLIER_NAMES.items()}
    state["signature"]["settings"] = rename_keys(
        state["signature"]["settings"], {new: old for old, new in EARLIER_KEYS.items()}
    )
    state = rename_keys(state, names)
    assert state["progress"]["window"] == 0 and "epsilon" in state["recipe"]["settings"]
    (paths.checkpoints / "epoch0004/state.json").write_text(json.dumps(state))
    assert Trainer(QUICK, paths, use_gpu=False).state.epoch == 4


def test_starts_in_an_earlier_version_s_words_are_no_change(paths, base, tmp_path):
    earlier = changed_base(base, tmp_path, speaker_starts={"spk000": "voice 3 of the base"})
    signature = Trainer(
        QUICK, dataclasses.replace(paths, base_model=earlier), use_gpu=False
    ).signature
    now = {**signature, "speaker_starts": {"spk000": "speaker 3 of the base"}}
    found = dataclasses.make_dataclass("Found", ["signature"])(signature)
    assert decide_start(found, now, QUICK) is Start.RESUME
    now["speaker_starts"] = {"spk000": "speaker 4 of the base"}
    assert decide_start(found, now, QUICK) is Start.FRESH


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
        "weights/best",
        "weights/epoch0001",
        "curves",
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
    with pytest.raises(ValueError, match=r"names weights/best as its best.*run again"):
        export_trained(moved, "best", base, tmp_path / "model", "eng")


# ---------------------------------------------------------------- samples


def test_the_sample_in_tensorboard_is_written_as_the_voice_writes_it(paths, base, tmp_path, caplog):
    folder = tmp_path / "with_mapping"
    shutil.copytree(base, folder)
    (folder / "text.json").write_text(json.dumps({"mapping": {"5": "five"}}))
    changed = dataclasses.replace(paths, base_model=folder)
    trainer = Trainer(QUICK, changed, use_gpu=False, texts=["Five 5 ❤ ж"])
    tokenizer = VitsTokenizer.from_pretrained(folder)
    assert trainer.sample_ids == tokenizer("five five").input_ids
    assert "ж" in caplog.text
    nothing = Trainer(QUICK, changed, use_gpu=False, texts=["жж"])
    assert nothing.sample_ids == nothing.validator.clips[0].input_ids.tolist()


def test_logging_of_a_resumed_training_says_where(paths, caplog):
    run(paths, epochs=1)
    caplog.set_level(logging.INFO)
    run(paths, epochs=2)
    assert "Going on at epoch 1, step 2" in caplog.text

"""The voice that is written."""

import dataclasses
import json
import shutil
import subprocess
import sys

import pytest
import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model import __main__ as command
from lib.base_model.export import export_trained
from lib.text.frontend import TextFrontend
from lib.training.checkpoint import load_checkpoint
from lib.training.run import train
from tests.fixtures.base_model import make_row, prepare, write_dataset
from tests.fixtures.training import QUICK, make_paths  # noqa: F401


def test_exported_model_is_plain_transformers(undisturbed, base, tmp_path):
    registry = base.parent / "speakers/registry.json"
    export_trained(undisturbed.summary, "best", base, tmp_path / "model", "eng", registry)
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
    best = load_checkpoint(undisturbed.summary.parent / summary["best"])
    assert best.state.epoch == summary["best_epoch"]
    same = load_checkpoint(undisturbed.checkpoints / f"epoch{summary['best_epoch']:04d}")
    name = "text_encoder.embed_tokens.weight"
    assert torch.equal(model.state_dict()[name], best.ema[name])
    assert torch.equal(best.ema[name], same.ema[name])
    assert not torch.equal(best.ema[name], same.generator[name])
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


def test_any_milestone_becomes_a_voice_by_one_command(undisturbed, base, tmp_path, caplog):
    folder = undisturbed.checkpoints
    command.main(
        ["export", str(folder / "epoch0002"), str(tmp_path / "two"), f"--base-model={base}"]
    )
    state = VitsModel.from_pretrained(tmp_path / "two").state_dict()
    saved, last = (load_checkpoint(folder / name).ema for name in ("epoch0002", "epoch0004"))
    name = "text_encoder.embed_tokens.weight"
    assert torch.equal(state[name], saved[name]) and not torch.equal(state[name], last[name])
    with pytest.raises(SystemExit, match="exists already"):
        command.main(
            ["export", str(folder / "epoch0002"), str(tmp_path / "two"), f"--base-model={base}"]
        )
    with pytest.raises(SystemExit, match=r"epoch0009.*cannot be read"):
        command.main(
            ["export", str(folder / "epoch0009"), str(tmp_path / "nine"), f"--base-model={base}"]
        )
    assert not (tmp_path / "nine").exists()


def test_a_milestone_of_other_speakers_is_refused(undisturbed, dataset, tmp_path):
    other = prepare(tmp_path, dataset, ["spk000", "spk001", "spk002"])
    values = json.loads((other / "base.json").read_text())
    values["speakers"]["spk002"] = 2
    (other / "base.json").write_text(json.dumps(values))
    with pytest.raises(SystemExit, match="trained with other speakers"):
        command.main(
            [
                "export",
                str(undisturbed.checkpoints / "epoch0002"),
                str(tmp_path / "model"),
                f"--base-model={other}",
            ]
        )


def test_how_texts_are_written_travels_with_the_voice(undisturbed, base, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(base, folder)
    TextFrontend({"0": "zero"}, han_to_pinyin=True).save(folder)
    export_trained(undisturbed.summary, "best", folder, tmp_path / "model", "eng")
    assert TextFrontend.read(tmp_path / "model") == TextFrontend({"0": "zero"}, han_to_pinyin=True)

"""Where a base model comes from: originals, the Hub, and its discriminator."""

import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import VitsConfig, VitsModel, VitsTokenizer

from lib.base_model.discriminator import save_discriminator
from lib.base_model.fetch import FetchedBase
from lib.base_model.hub import BaseModelError
from lib.base_model.tiny import write_tiny_model
from lib.packs.original import discriminator_to_original
from lib.text.planned import read_planned_texts
from lib.vits.discriminator import Discriminator, DiscriminatorSettings, initialise_discriminator
from tests.base_model.fake_hub import serve
from tests.base_model.test_hub import ask
from tests.fixtures.base_model import prepare_base
from tests.vits.test_convert import (
    HYPERPARAMETERS,
    original_state,
)

PERIODS = (2, 3, 5, 7, 11)


def write_original(directory: Path, hyperparameters: dict | None = None) -> Path:
    """A small original MMS checkpoint: ``G_*.pth``, ``config.json``, ``vocab.txt``."""
    symbols = ["_", " ", *"abcdefghijklmnopqrstuvwxyz", "'"]
    torch.manual_seed(3)
    config = VitsConfig(
        vocab_size=len(symbols),
        hidden_size=24,
        flow_size=24,
        ffn_dim=48,
        num_hidden_layers=2,
        resblock_kernel_sizes=[3, 5],
        resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]],
        upsample_initial_channel=32,
        spectrogram_bins=513,
        pad_token_id=0,
    )
    model = VitsModel(config).eval()
    directory.mkdir(parents=True)
    state = {"model": original_state(model), "iteration": 1, "optimizer": {}, "learning_rate": 1e-4}
    torch.save(state, directory / "G_100000.pth")
    (directory / "config.json").write_text(json.dumps(hyperparameters or HYPERPARAMETERS))
    (directory / "vocab.txt").write_text("\n".join(symbols) + "\n", "utf-8")
    return directory


def write_discriminator(path: Path, channels: int = 2) -> Discriminator:
    """A true-format ``D_*.pth``."""
    discriminator = initialise_discriminator(DiscriminatorSettings(base_channels=channels), 9)
    state = discriminator_to_original(discriminator.state_dict())
    path.parent.mkdir(parents=True, exist_ok=True)
    saved = {"model": state, "iteration": 100_000, "optimizer": {}, "learning_rate": 1e-4}
    torch.save(saved, path)
    return discriminator


def write_generator_as_discriminator(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": {"enc_p.emb.weight": torch.zeros(3, 2)}}, path)


def test_an_original_directory_is_converted_and_prepared(folder, tmp_path):
    source = write_original(tmp_path / "original")
    discriminator = write_discriminator(source / "D_100000.pth")
    base = prepare_base(folder, tmp_path / "base", str(source))
    tokenizer = VitsTokenizer.from_pretrained(base.directory)
    assert tokenizer("ab").input_ids == [0, 2, 0, 3, 0]
    assert tokenizer.get_vocab()["'"] == 28
    assert not tokenizer.is_uroman
    assert VitsModel.from_pretrained(base.directory).config.num_speakers == 2
    assert base.discriminator_origin == "own (D_100000.pth)" and not base.fresh_discriminator
    loaded = base.load_discriminator(PERIODS, 16, seed=1)
    for name, value in discriminator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_an_original_that_was_trained_on_romanised_text(folder, tmp_path):
    data = {**HYPERPARAMETERS["data"], "training_files": "train.ltr.uroman"}
    source = write_original(tmp_path / "original", {**HYPERPARAMETERS, "data": data})
    base = prepare_base(folder, tmp_path / "base", str(source))
    assert VitsTokenizer.from_pretrained(base.directory).is_uroman
    planned = read_planned_texts(tmp_path / "base_text")
    assert planned["clip01"].text == "deja vu ng"


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", "discriminator", "list"])
def test_a_damaged_original_is_refused_by_name(folder, tmp_path, content):
    source = write_original(tmp_path / "original")
    path = source / "G_100000.pth"
    if content == "discriminator":
        write_discriminator(path)
    elif content == "list":
        torch.save([1], path)
    else:
        path.write_bytes(content)
    with pytest.raises(BaseModelError, match=r"base_model\.source: .*G_100000\.pth: "):
        prepare_base(folder, tmp_path / "base", str(source))
    assert not (tmp_path / "base").exists()


def test_a_model_of_another_rate_is_refused(folder, tmp_path):
    data = {**HYPERPARAMETERS["data"], "sampling_rate": 22_050}
    source = write_original(tmp_path / "original", {**HYPERPARAMETERS, "data": data})
    with pytest.raises(BaseModelError, match=r"works at 22050 Hz .* expected 16000 Hz, hop 256"):
        prepare_base(folder, tmp_path / "base", str(source))


@pytest.mark.parametrize("kind", ["generator", "damaged", "no model"])
def test_a_file_that_is_no_discriminator_is_passed_over_by_name(folder, tmp_path, caplog, kind):
    write_tiny_model(tmp_path / "model")
    path = tmp_path / "model/D_100000.pth"
    if kind == "generator":
        write_generator_as_discriminator(path)
    elif kind == "damaged":
        path.write_bytes(b"PK\x03\x04")
    else:
        torch.save({"state": 1}, path)
    with caplog.at_level(logging.WARNING):
        base = prepare_base(folder, tmp_path / "base", str(tmp_path / "model"))
    assert base.fresh_discriminator and base.discriminator_origin == "fresh"
    assert "The discriminator of own (D_100000.pth) is passed over" in caplog.text
    assert not (base.directory / "discriminator.safetensors").exists()


def test_our_own_discriminator_file(folder, tmp_path):
    write_tiny_model(tmp_path / "model")
    ours = initialise_discriminator(DiscriminatorSettings(base_channels=2), 4).state_dict()
    save_file(ours, tmp_path / "model/discriminator.safetensors")
    base = prepare_base(folder, tmp_path / "base", str(tmp_path / "model"))
    assert base.discriminator_origin == "own (discriminator.safetensors)"
    assert load_file(base.directory / "discriminator.safetensors").keys() == ours.keys()
    # Its width is in the file; its periods are not.
    loaded = base.load_discriminator(PERIODS, 16, seed=1)
    assert all(torch.equal(v, ours[k]) for k, v in loaded.state_dict().items())
    with pytest.raises(BaseModelError, match=r"own \(.*training\.discriminator_periods: \[2, 3\]"):
        base.load_discriminator((2, 3), 16, seed=1)
    save_file({"x": torch.zeros(1)}, tmp_path / "model/discriminator.safetensors")
    assert prepare_base(folder, tmp_path / "base", str(tmp_path / "model")).fresh_discriminator


def test_a_discriminator_file_may_tell_its_periods(folder, tmp_path):
    write_tiny_model(tmp_path / "model")
    ours = initialise_discriminator(DiscriminatorSettings((2, 7), 1), 4).state_dict()
    half = {name: value.half() for name, value in ours.items()}
    save_discriminator(half, (2, 7), tmp_path / "model/discriminator.safetensors")
    base = prepare_base(folder, tmp_path / "base", str(tmp_path / "model"))
    loaded = base.load_discriminator(PERIODS, 16, seed=1)
    assert loaded.settings == DiscriminatorSettings((2, 7), 1)
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32 and torch.equal(value.half(), half[name])


def test_fresh_takes_none_and_depends_on_the_seed(folder, tmp_path):
    source = write_original(tmp_path / "original")
    write_discriminator(source / "D_100000.pth")
    base = prepare_base(folder, tmp_path / "base", str(source), discriminator="fresh")
    assert base.discriminator_origin == "fresh" and base.fresh_discriminator
    one, two, other = (
        base.load_discriminator(PERIODS, 1, seed=seed).state_dict() for seed in (1, 1, 2)
    )
    name = "discriminators.0.convs.0.bias"
    assert torch.equal(one[name], two[name]) and not torch.equal(one[name], other[name])


FETCH = """
from pathlib import Path
fetch = __import__("lib.base_model.fetch", fromlist=["x"])
fetch.fetch_base_model(sys.argv[1], "auto", Path({output!r}))
print(json.dumps({{}}))
"""


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ({"xyz": "discriminator", "eng": "discriminator"}, "xyz"),
        ({"xyz": "generator", "eng": "discriminator"}, "eng"),
        ({"xyz": "generator"}, "fresh"),
    ],
    ids=lambda value: str(value),
)
def test_a_voice_of_the_hub_with_the_best_discriminator(folder, tmp_path, published, expected):
    root = tmp_path / "hub"
    write_tiny_model(root / "facebook/mms-tts-xyz")
    (root / "facebook/mms-tts").mkdir()
    for code, kind in published.items():
        path = root / f"facebook/mms-tts/full_models/{code}/D_100000.pth"
        if kind == "discriminator":
            write_discriminator(path)
        else:
            write_generator_as_discriminator(path)
    do = FETCH.format(output=str(tmp_path / "base"))
    do = do.strip().replace("\n", "\n    ")
    with serve(root) as hub:
        told = ask(hub.endpoint, tmp_path / "home", do, "facebook/mms-tts-xyz")
    base = FetchedBase.read(tmp_path / "base")
    assert base.source == "facebook/mms-tts-xyz"
    assert base.discriminator_origin == expected
    assert (tmp_path / "base/discriminator.safetensors").is_file() == (expected != "fresh")
    if "generator" in published.values():
        assert "The discriminator of xyz is passed over: D_100000.pth is not" in told["log"]

"""Preparing a base model: what it knows stays, what the dataset brings is added."""

import csv
import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import VitsConfig, VitsModel, VitsTokenizer

from lib.files import read_json, write_json
from lib.text.frontend import TextFrontend
from lib.training.base_model import BaseModel, prepare_base_model, save_discriminator
from lib.training.hub import BaseModelError
from lib.training.settings import TrainingSettings
from lib.training.tiny import write_tiny_model
from lib.vits.convert import discriminator_to_original
from lib.vits.discriminator import Discriminator, DiscriminatorSettings, initialise_discriminator
from tests.training.conftest import make_row, write_dataset, write_speakers
from tests.training.fake_hub import serve
from tests.training.test_hub import ask
from tests.vits.test_convert import HYPERPARAMETERS, original_state

EXTEND = {
    "unknown_characters": "extend",
    "mapping": {},
    "new_letters": {},
    "han_to_pinyin": False,
}
SPEAKERS = ["spk000", "spk001"]
WORDS = {
    "clip00": ("hello there", "spk000", 1.0),
    "clip01": ("Déjà vu, ŋ!", "spk001", 1.2),
    "clip02": ("a text that is far too long for so short a clip", "spk000", 0.5),
    "clip03": ("good day", "spk001", 0.9),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A dataset of four clips, one of which cannot be aligned, and its speakers."""
    folder = tmp_path_factory.mktemp("prepared")
    rows = [make_row(i, *words) for i, words in enumerate(WORDS.values())]
    write_dataset(folder / "dataset", rows[:3], rows[3:])
    write_speakers(folder / "speakers", SPEAKERS)
    return folder


def prepare(
    folder: Path,
    output: Path,
    source: str = "tiny",
    text: dict | None = None,
    discriminator: str = "auto",
    dataset: Path | None = None,
) -> BaseModel:
    prepare_base_model(
        source,
        discriminator,
        dataset or folder / "dataset",
        folder / "speakers/centroids.parquet",
        folder / "speakers/registry.json",
        text or EXTEND,
        output,
    )
    return BaseModel.open(output)


@pytest.fixture(scope="module")
def prepared(folder) -> BaseModel:
    return prepare(folder, folder / "base_model")


# ---------------------------------------------------------------- what is written


def test_everything_is_there_and_loads_with_plain_transformers(prepared):
    names = {path.name for path in prepared.directory.iterdir()}
    assert names >= {"base.json", "texts.json", "vocabulary.tsv", "config.json", "vocab.json"}
    model = VitsModel.from_pretrained(prepared.directory)
    tokenizer = VitsTokenizer.from_pretrained(prepared.directory)
    assert model.config.num_speakers == 2
    assert model.config.vocab_size == len(tokenizer.get_vocab())


def test_the_record(prepared):
    assert prepared.source == "tiny"
    assert prepared.speakers == {"spk000": 0, "spk001": 1}
    assert prepared.names == {s: f"name of {s}" for s in SPEAKERS}
    assert prepared.fresh_discriminator and prepared.discriminator_origin == "fresh"
    assert prepared.speaker_map()["spk001"] == {"index": 1, "name": "name of spk001"}


def test_new_characters_come_after_the_old_and_the_tokenizer_gives_their_ids(prepared, tmp_path):
    write_tiny_model(tmp_path)
    old = VitsTokenizer.from_pretrained(tmp_path).get_vocab()
    tokenizer = VitsTokenizer.from_pretrained(prepared.directory)
    vocab = tokenizer.get_vocab()
    assert vocab.items() >= old.items()
    assert [vocab[c] for c in "àéŋ"] == [len(old), len(old) + 1, len(old) + 2]
    text = prepared.texts()["clip01"]
    assert tokenizer(text).input_ids[1::2] == [vocab[c] for c in text]
    assert tokenizer("DÉJÀ").input_ids[1::2] == [vocab[c] for c in "déjà"]


def test_texts_hold_known_characters_alone(prepared):
    texts = prepared.texts()
    vocab = VitsTokenizer.from_pretrained(prepared.directory).get_vocab()
    assert texts["clip00"] == "hello there"
    assert texts["clip01"] == "déjà vu ŋ"
    assert all(set(text) <= vocab.keys() for text in texts.values())


def test_a_clip_with_more_tokens_than_frames_is_left_out_with_the_reason(prepared):
    (reason,) = (prepared.excluded[clip] for clip in prepared.excluded)
    text = WORDS["clip02"][0]
    assert prepared.excluded.keys() == {"clip02"}
    assert reason == f"{2 * len(text) + 1} tokens cannot be aligned to {8000 // 256} frames"
    assert "clip02" not in prepared.texts()


@pytest.mark.parametrize("characters", [15, 500])
def test_just_as_many_tokens_as_frames_are_enough(folder, tmp_path, characters):
    """1,001 frames last 16.016 s, which times 16,000 is less than their samples in floats."""
    tokens = 2 * characters + 1
    for samples, excluded in ((256 * tokens, set()), (256 * tokens - 1, {"clip00"})):
        row = make_row(0, "a" * characters, "spk000", samples / 16_000)
        dataset = write_dataset(tmp_path / f"dataset{samples}", [row], [])
        base = prepare(folder, tmp_path / "base", dataset=dataset)
        assert base.excluded.keys() == excluded


def test_policy_reject_names_the_characters(folder, tmp_path):
    base = prepare(folder, tmp_path / "base", text={**EXTEND, "unknown_characters": "reject"})
    assert base.excluded["clip01"] == "characters that the base does not know: à é ŋ"
    assert base.texts().keys() == {"clip00", "clip03"}


def test_the_audit_tells_every_character_s_fate(prepared):
    with (prepared.directory / "vocabulary.tsv").open(encoding="utf-8") as file:
        fates = {row["character"]: row["fate"] for row in csv.DictReader(file, delimiter="\t")}
    assert {fates[c] for c in "éàŋ"} == {"added"}
    assert fates[","] == "left out" and fates["h"] == "known"


def test_preparing_again_gives_the_same_bytes(folder, prepared, tmp_path):
    again = prepare(folder, tmp_path / "base")
    for path in prepared.directory.iterdir():
        assert (again.directory / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_voice_is_the_base_s_for_every_speaker_at_first(prepared, tmp_path):
    write_tiny_model(tmp_path)
    plain = VitsModel.from_pretrained(tmp_path).eval()
    fitted = VitsModel.from_pretrained(prepared.directory).eval()
    ids = VitsTokenizer.from_pretrained(tmp_path)("hello", return_tensors="pt")
    for speaker in (0, 1):
        torch.manual_seed(0)
        expected = plain(**ids).waveform
        torch.manual_seed(0)
        assert torch.equal(fitted(**ids, speaker_id=speaker).waveform, expected)


# ---------------------------------------------------------------- our own models as base


def export(base: BaseModel, directory: Path, names: dict[str, str]) -> Path:
    """Write a prepared base as `lib.training.export` writes a trained voice."""
    VitsModel.from_pretrained(base.directory).save_pretrained(directory)
    VitsTokenizer.from_pretrained(base.directory).save_pretrained(directory)
    speakers = {s: {"index": row, "name": names.get(s, s)} for s, row in base.speakers.items()}
    write_json(directory / "speakers.json", speakers)
    return directory


def grow(folder: Path, speakers: list[str]) -> Path:
    """The same dataset with clips of more speakers."""
    rows = [make_row(i, "one two", speaker, 1.0) for i, speaker in enumerate(speakers)]
    write_dataset(folder / "dataset", rows, [])
    write_speakers(folder / "speakers", speakers)
    return folder


@pytest.mark.parametrize("kind", ["exported", "prepared"])
def test_our_own_voice_keeps_its_speakers_rows(prepared, tmp_path, kind):
    source = prepared.directory
    if kind == "exported":
        source = export(prepared, tmp_path / "model", {"spk000": "Ada", "spk001": "Ben"})
    # spk000 has left; two have come, one of which sorts before the others.
    grown = grow(tmp_path / "grown", ["aaa", "spk001", "spk002"])
    base = prepare(grown, tmp_path / "base", str(source))
    assert base.speakers == {"spk000": 0, "spk001": 1, "aaa": 2, "spk002": 3}
    old = VitsModel.from_pretrained(source).embed_speaker.weight
    new = VitsModel.from_pretrained(base.directory).embed_speaker.weight
    assert torch.equal(new[:2], old) and new.shape == (4, 256)
    assert base.names["spk001"] == "name of spk001", "today's registry goes before"
    assert base.names["spk000"] == ("Ada" if kind == "exported" else "name of spk000")
    tokenizer = VitsTokenizer.from_pretrained(base.directory)
    assert "ŋ" in tokenizer.get_vocab(), "characters that were added stay"


def test_a_single_speaker_voice_of_ours_takes_any_speakers(folder, tmp_path):
    first = grow(tmp_path / "first", ["spk009"])
    one = prepare(first, tmp_path / "one")
    source = export(one, tmp_path / "model", {"spk009": "Zoe"})
    base = prepare(folder, tmp_path / "base", str(source))
    assert base.speakers == {"spk000": 0, "spk001": 1}


def test_a_foreign_multi_speaker_voice_keeps_its_rows(prepared, folder, tmp_path):
    source = export(prepared, tmp_path / "model", {})
    (source / "speakers.json").unlink()
    base = prepare(folder, tmp_path / "base", str(source))
    assert base.speakers == {"base000": 0, "base001": 1, "spk000": 2, "spk001": 3}
    assert list(base.speakers) == ["spk000", "spk001", "base000", "base001"]
    assert base.learnt_speakers() == {"spk000": 2, "spk001": 3}
    table = VitsModel.from_pretrained(base.directory).embed_speaker.weight
    assert all(any(torch.equal(row, known) for known in table[:2]) for row in table[2:])


def test_a_base_in_half_precision_is_trained_in_full(prepared, folder, tmp_path):
    source = export(prepared, tmp_path / "model", {})
    full = VitsModel.from_pretrained(source)
    full.half().save_pretrained(source)
    assert VitsModel.from_pretrained(source).dtype == torch.float16
    base = prepare(folder, tmp_path / "base", str(source))
    model = VitsModel.from_pretrained(base.directory)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.equal(
        model.flow.flows[0].conv_pre.weight.half(), full.flow.flows[0].conv_pre.weight
    )


# ---------------------------------------------------------------- originals and the Hub


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
    state = discriminator_to_original(discriminator)
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
    base = prepare(folder, tmp_path / "base", str(source))
    tokenizer = VitsTokenizer.from_pretrained(base.directory)
    assert tokenizer("ab").input_ids == [0, 2, 0, 3, 0]
    assert tokenizer.get_vocab()["'"] == 28
    assert not tokenizer.is_uroman
    assert VitsModel.from_pretrained(base.directory).config.num_speakers == 2
    assert base.discriminator_origin == "own (D_100000.pth)" and not base.fresh_discriminator
    loaded = base.load_discriminator(TrainingSettings())
    for name, value in discriminator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_an_original_that_was_trained_on_romanised_text(folder, tmp_path):
    data = {**HYPERPARAMETERS["data"], "training_files": "train.ltr.uroman"}
    source = write_original(tmp_path / "original", {**HYPERPARAMETERS, "data": data})
    base = prepare(folder, tmp_path / "base", str(source))
    assert VitsTokenizer.from_pretrained(base.directory).is_uroman
    assert base.texts()["clip01"] == "deja vu ng"


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
        prepare(folder, tmp_path / "base", str(source))
    assert not (tmp_path / "base").exists()


def test_a_model_of_another_rate_is_refused(folder, tmp_path):
    data = {**HYPERPARAMETERS["data"], "sampling_rate": 22_050}
    source = write_original(tmp_path / "original", {**HYPERPARAMETERS, "data": data})
    with pytest.raises(BaseModelError, match=r"works at 22050 Hz .* expected 16000 Hz, hop 256"):
        prepare(folder, tmp_path / "base", str(source))


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
        base = prepare(folder, tmp_path / "base", str(tmp_path / "model"))
    assert base.fresh_discriminator and base.discriminator_origin == "fresh"
    assert "The discriminator of own (D_100000.pth) is passed over" in caplog.text
    assert not (base.directory / "discriminator.safetensors").exists()


def test_our_own_discriminator_file(folder, tmp_path):
    write_tiny_model(tmp_path / "model")
    ours = initialise_discriminator(DiscriminatorSettings(base_channels=2), 4).state_dict()
    save_file(ours, tmp_path / "model/discriminator.safetensors")
    base = prepare(folder, tmp_path / "base", str(tmp_path / "model"))
    assert base.discriminator_origin == "own (discriminator.safetensors)"
    assert load_file(base.directory / "discriminator.safetensors").keys() == ours.keys()
    # Its width is in the file; its periods are not.
    loaded = base.load_discriminator(TrainingSettings())
    assert all(torch.equal(v, ours[k]) for k, v in loaded.state_dict().items())
    with pytest.raises(BaseModelError, match=r"own \(.*training\.discriminator_periods: \[2, 3\]"):
        base.load_discriminator(TrainingSettings(discriminator_periods=(2, 3)))
    save_file({"x": torch.zeros(1)}, tmp_path / "model/discriminator.safetensors")
    assert prepare(folder, tmp_path / "base", str(tmp_path / "model")).fresh_discriminator


def test_a_discriminator_file_may_tell_its_periods(folder, tmp_path):
    write_tiny_model(tmp_path / "model")
    ours = initialise_discriminator(DiscriminatorSettings((2, 7), 1), 4).state_dict()
    half = {name: value.half() for name, value in ours.items()}
    save_discriminator(half, (2, 7), tmp_path / "model/discriminator.safetensors")
    base = prepare(folder, tmp_path / "base", str(tmp_path / "model"))
    loaded = base.load_discriminator(TrainingSettings())
    assert loaded.settings == DiscriminatorSettings((2, 7), 1)
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32 and torch.equal(value.half(), half[name])


def test_fresh_takes_none_and_depends_on_the_seed(folder, tmp_path):
    source = write_original(tmp_path / "original")
    write_discriminator(source / "D_100000.pth")
    base = prepare(folder, tmp_path / "base", str(source), discriminator="fresh")
    assert base.discriminator_origin == "fresh" and base.fresh_discriminator
    one, two, other = (
        base.load_discriminator(TrainingSettings(discriminator_channels=1, seed=seed)).state_dict()
        for seed in (1, 1, 2)
    )
    name = "discriminators.0.convs.0.bias"
    assert torch.equal(one[name], two[name]) and not torch.equal(one[name], other[name])


PREPARE = """
base = __import__("lib.training.base_model", fromlist=["x"])
from pathlib import Path
folder, output = map(Path, {paths!r})
base.prepare_base_model(sys.argv[1], "auto", folder / "dataset",
    folder / "speakers/centroids.parquet", folder / "speakers/registry.json",
    {text!r}, output)
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
    do = PREPARE.format(paths=(str(folder), str(tmp_path / "base")), text=EXTEND)
    do = do.strip().replace("\n", "\n    ")
    with serve(root) as hub:
        told = ask(hub.endpoint, tmp_path / "home", do, "facebook/mms-tts-xyz")
    base = BaseModel.open(tmp_path / "base")
    assert base.source == "facebook/mms-tts-xyz"
    assert base.discriminator_origin == expected
    assert (base.directory / "discriminator.safetensors").is_file() == (expected != "fresh")
    if "generator" in published.values():
        assert "The discriminator of xyz is passed over: D_100000.pth is not" in told["log"]


# ---------------------------------------------------------------- faults


def test_a_directory_that_lacks_files_changes_nothing(folder, prepared, tmp_path):
    output = tmp_path / "base"
    shutil.copytree(prepared.directory, output)
    write_tiny_model(tmp_path / "model")
    (tmp_path / "model/vocab.json").unlink()
    with pytest.raises(BaseModelError, match=r"lacks vocab\.json"):
        prepare(folder, output, str(tmp_path / "model"))
    assert read_json(output / "base.json") == read_json(prepared.directory / "base.json")


def test_the_users_letters_and_han_as_pinyin(tmp_path):
    rows = [make_row(0, "你好 ŋ 0", SPEAKERS[0], 2.0), make_row(1, "世界", SPEAKERS[1], 2.0)]
    write_dataset(tmp_path / "dataset", rows, [])
    write_speakers(tmp_path / "speakers", SPEAKERS)
    text = {**EXTEND, "mapping": {"0": "ling"}, "new_letters": {"ŋ": "ng"}, "han_to_pinyin": True}
    base = prepare(tmp_path, tmp_path / "base", text=text)
    assert base.texts() == {"clip00": "nǐ hǎo ŋ ling", "clip01": "shì jiè"}
    vocabulary = VitsTokenizer.from_pretrained(base.directory).get_vocab()
    table = VitsModel.from_pretrained(base.directory).text_encoder.embed_tokens.weight
    expected = (table[vocabulary["n"]] + table[vocabulary["g"]]) / 2
    assert torch.allclose(table[vocabulary["ŋ"]], expected)
    assert TextFrontend.read(base.directory) == TextFrontend({"0": "ling"}, han_to_pinyin=True)

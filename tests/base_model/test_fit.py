"""Fitting a base model: what it knows stays, what the dataset brings is added."""

import shutil
from pathlib import Path

import pytest
import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.hub import BaseModelError
from lib.base_model.record import BaseModel
from lib.base_model.tiny import write_tiny_model
from lib.files import read_json, write_json
from lib.text.frontend import TextFrontend
from tests.fixtures.base_model import (
    SPEAKERS,
    TEXT,
    WORDS,
    make_row,
    prepare_base,
    write_dataset,
    write_speakers,
)

# ---------------------------------------------------------------- what is written


def test_everything_is_there_and_loads_with_plain_transformers(prepared):
    names = {path.name for path in prepared.directory.iterdir()}
    assert names >= {"base.json", "text.json", "config.json", "vocab.json", "model.safetensors"}
    model = VitsModel.from_pretrained(prepared.directory)
    tokenizer = VitsTokenizer.from_pretrained(prepared.directory)
    assert model.config.num_speakers == 2
    assert model.config.vocab_size == len(tokenizer.get_vocab())


def test_the_record(prepared):
    assert prepared.source == "tiny"
    assert prepared.speakers == {"spk000": 0, "spk001": 1}
    assert prepared.names == {}, "names enter at the export"
    assert prepared.fresh_discriminator and prepared.discriminator_origin == "fresh"
    assert prepared.speaker_map()["spk001"] == {"index": 1, "name": "spk001"}


def test_a_record_of_an_earlier_version_is_read(prepared, tmp_path):
    shutil.copytree(prepared.directory, tmp_path / "base")
    values = {**read_json(tmp_path / "base/base.json"), "excluded": {"clip01": "too long"}}
    write_json(tmp_path / "base/base.json", values)
    assert BaseModel.open(tmp_path / "base").speakers == prepared.speakers


def test_new_characters_come_after_the_old_and_the_tokenizer_gives_their_ids(prepared, tmp_path):
    write_tiny_model(tmp_path)
    old = VitsTokenizer.from_pretrained(tmp_path).get_vocab()
    tokenizer = VitsTokenizer.from_pretrained(prepared.directory)
    vocab = tokenizer.get_vocab()
    assert vocab.items() >= old.items()
    assert [vocab[c] for c in "àéŋ"] == [len(old), len(old) + 1, len(old) + 2]
    text = WORDS["clip01"][0]
    assert tokenizer(text).input_ids[1::2] == [vocab[c] for c in text]
    assert tokenizer("DÉJÀ").input_ids[1::2] == [vocab[c] for c in "déjà"]


def test_preparing_again_gives_the_same_bytes(folder, prepared, tmp_path):
    again = prepare_base(folder, tmp_path / "base")
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
    """Write a prepared base as `lib.base_model.export` writes a trained voice."""
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
def test_speakers_of_a_base_and_of_a_corpus_do_not_meet_by_accident(prepared, tmp_path, kind):
    source = prepared.directory
    if kind == "exported":
        source = export(prepared, tmp_path / "model", {"spk000": "Ada", "spk001": "Ben"})
    # Another corpus has a spk001 too, who is somebody else.
    grown = grow(tmp_path / "grown", ["aaa", "spk001", "spk002"])
    base = prepare_base(grown, tmp_path / "base", str(source))
    assert base.speakers == {"aaa": 2, "spk001": 3, "spk002": 4, "base000": 0, "base001": 1}
    assert list(base.learnt_speakers()) == ["aaa", "spk001", "spk002"]
    old = VitsModel.from_pretrained(source).embed_speaker.weight
    new = VitsModel.from_pretrained(base.directory).embed_speaker.weight
    assert torch.equal(new[:2], old) and new.shape == (5, 256)
    # Names of today enter at the export.
    known = ("Ada", "Ben") if kind == "exported" else ("spk000", "spk001")
    assert base.names == dict(zip(("base000", "base001"), known, strict=True))
    named = base.speaker_map({"spk001": "Clara"})
    assert named["spk001"] == {"index": 3, "name": "Clara"}
    assert named["base001"] == {"index": 1, "name": known[1]}
    tokenizer = VitsTokenizer.from_pretrained(base.directory)
    assert "ŋ" in tokenizer.get_vocab(), "characters that were added stay"


def test_speakers_of_a_base_are_those_of_a_corpus_where_that_is_said(prepared, tmp_path):
    source = export(prepared, tmp_path / "model", {"spk000": "Ada", "spk001": "Ben"})
    grown = grow(tmp_path / "grown", ["aaa", "spk001", "spk002"])
    same = {"spk002": "Ada", "aaa": "spk001"}
    base = prepare_base(grown, tmp_path / "base", str(source), same_speakers=same)
    assert base.speakers == {"aaa": 1, "spk001": 2, "spk002": 0}
    assert base.speaker_starts.keys() == {"spk001"}
    # The next voice, and so on: ids of a base never pile up.
    again = prepare_base(grown, tmp_path / "again", str(base.directory))
    assert list(again.speakers) == ["aaa", "spk001", "spk002", "base000", "base001", "base002"]
    for wrong, message in (
        ({"aaa": "Zoe"}, r"aaa is said to be Zoe.*spk000 \(Ada\), spk001 \(Ben\)"),
        ({"zzz": "Ada"}, "no speaker zzz; it has aaa, spk001, spk002"),
        ({"aaa": "Ada", "spk002": "spk000"}, "two speakers are said to be one.*merge them"),
    ):
        with pytest.raises(BaseModelError, match=message):
            prepare_base(grown, tmp_path / "no", str(source), same_speakers=wrong)


def test_a_single_speaker_voice_of_ours_takes_any_speakers(folder, tmp_path):
    first = grow(tmp_path / "first", ["spk009"])
    one = prepare_base(first, tmp_path / "one")
    source = export(one, tmp_path / "model", {"spk009": "Zoe"})
    base = prepare_base(folder, tmp_path / "base", str(source))
    assert base.speakers == {"spk000": 0, "spk001": 1}


def test_a_foreign_multi_speaker_voice_keeps_its_rows(prepared, folder, tmp_path):
    source = export(prepared, tmp_path / "model", {})
    (source / "speakers.json").unlink()
    base = prepare_base(folder, tmp_path / "base", str(source))
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
    base = prepare_base(folder, tmp_path / "base", str(source))
    model = VitsModel.from_pretrained(base.directory)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.equal(
        model.flow.flows[0].conv_pre.weight.half(), full.flow.flows[0].conv_pre.weight
    )


# ---------------------------------------------------------------- faults


def test_a_directory_that_lacks_files_changes_nothing(folder, prepared, tmp_path):
    output = tmp_path / "base"
    shutil.copytree(prepared.directory, output)
    write_tiny_model(tmp_path / "model")
    (tmp_path / "model/vocab.json").unlink()
    with pytest.raises(BaseModelError, match=r"lacks vocab\.json"):
        prepare_base(folder, output, str(tmp_path / "model"))
    assert read_json(output / "base.json") == read_json(prepared.directory / "base.json")


def test_the_users_letters_and_han_as_pinyin(tmp_path):
    rows = [
        make_row(0, "nǐ hǎo ŋ ling", SPEAKERS[0], 2.0, "你好 ŋ 0"),
        make_row(1, "shì jiè", SPEAKERS[1], 2.0, "世界"),
    ]
    write_dataset(tmp_path / "dataset", rows, [])
    write_speakers(tmp_path / "speakers", SPEAKERS)
    text = {**TEXT, "mapping": {"0": "ling"}, "new_letters": {"ŋ": "ng"}, "han_to_pinyin": True}
    base = prepare_base(tmp_path, tmp_path / "base", text=text)
    vocabulary = VitsTokenizer.from_pretrained(base.directory).get_vocab()
    table = VitsModel.from_pretrained(base.directory).text_encoder.embed_tokens.weight
    expected = (table[vocabulary["n"]] + table[vocabulary["g"]]) / 2
    assert torch.allclose(table[vocabulary["ŋ"]], expected)
    assert TextFrontend.read(base.directory) == TextFrontend({"0": "ling"}, han_to_pinyin=True)

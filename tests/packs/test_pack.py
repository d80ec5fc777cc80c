"""A pack has all its files, the same bytes every time, and a card that tells what matters."""

import json
import tarfile
from pathlib import Path

import pytest
import yaml

from lib.files import write_json
from lib.packs import __main__ as command
from lib.packs.card import Terms, TrainingRecord
from lib.packs.pack import pack_voice
from lib.tables import write_table

from .sherpa import load_pack, speak

FILES = {"model.onnx", "tokens.txt", "lang", "speakers.json", "README.md", "LICENSE"}


@pytest.fixture
def record(tmp_path) -> TrainingRecord:
    """Tables of a run with two speakers, one of them from the base."""
    run = tmp_path / "run"
    rows = [("a", "train", "eng-female-1", "1800"), ("b", "validation", "eng-female-1", "1800")]
    rows += [("c", "train", "eng-male-1", "900"), ("d", "", "", "7")]
    write_table(run / "manifest.tsv", ("clip", "split", "speaker_id", "duration"), rows)
    base = {"source": "facebook/mms-tts-eng", "origin": "x", "speakers": {}, "names": {}}
    base |= {"discriminator_origin": "own", "fresh_discriminator": False, "letters": {"é": ["e"]}}
    write_json(run / "base_model/base.json", base)
    write_json(
        run / "training.json", {"epoch": 8, "step": 320, "best_epoch": 6, "best_score": 41.5}
    )
    figures = {"sentences": 5, "sentences_tested": 4, "sentences_understood": 3}
    figures |= {"own_similarity": 0.87, "distortion": 5.25}
    write_json(run / "after.json", {"eng-female-1": figures})
    return TrainingRecord(
        run / "base_model",
        run / "manifest.tsv",
        run / "training.json",
        [run / "after.json"],
        {"learning_rate": 1e-4},
    )


def pack(voice, record, output: Path, formats=(), terms=None) -> Path:
    terms = terms or Terms()
    pack_voice(voice.exported, voice.model, "anna", "eng", formats, record, terms, output)
    return output


def test_the_folder_and_the_archive_have_the_same_files(speakers, record, tmp_path):
    one, other = (pack(speakers, record, tmp_path / name) for name in ("one", "other"))
    assert {path.name for path in one.iterdir()} == {"anna", "anna.tar.bz2"}
    assert {path.name for path in (one / "anna").iterdir()} == FILES
    assert (one / "anna.tar.bz2").read_bytes() == (other / "anna.tar.bz2").read_bytes()
    assert (one / "anna/lang").read_text() == "eng\nanna\n"
    with tarfile.open(one / "anna.tar.bz2") as archive:
        archive.extractall(tmp_path / "there", filter="data")
    for name in FILES:
        files = (one / "anna" / name, tmp_path / "there/anna" / name)
        assert files[0].read_bytes() == files[1].read_bytes(), name
    spoken = speak(load_pack(tmp_path / "there/anna", noise=0.667), "hello there", 3)
    assert abs(spoken).max() > 0.05


def read_card(folder: Path) -> tuple[dict, str]:
    _, header, text = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(header), " ".join(text.split())


def test_the_card_says_what_a_person_must_know(speakers, record, tmp_path):
    terms = Terms("CC0", "Anna has agreed to any use.")
    folder = pack(speakers, record, tmp_path / "out", terms=terms) / "anna"
    header, text = read_card(folder)
    assert header["license"] == "cc-by-nc-4.0"
    assert header["base_model"] == "facebook/mms-tts-eng"
    assert (header["language"], header["pipeline_tag"]) == ("eng", "text-to-speech")
    for said in (
        "| 0 | eng-female-1 | eng-female-1 | 2 | 60.0 |",
        "1.25 hours of speech in all",
        "licensed CC BY-NC 4.0: no commercial use",
        "Licence of the recordings: CC0. Consent of the speakers: Anna has agreed to any use.",
        "| this voice | eng-female-1 | 5 | 0.87 | 5.2 | 3 of 4 |",
        "- letters new to the base: é",
        "- epochs: 8, steps: 320",
        "- lowest validation score: 41.50 after epoch 6",
        "- learning rate: 0.0001",
        "it is synthetic",
        "sherpa-onnx-offline-tts --vits-model=anna/model.onnx --vits-tokens=anna/tokens.txt",
        "differs from PyTorch's by",
        "### Text",
    ):
        assert said in text, said
    assert "CC BY-NC 4.0" in (folder / "LICENSE").read_text("utf-8")


def test_what_is_not_known_is_said(speakers, tmp_path):
    folder = pack(speakers, TrainingRecord(), tmp_path / "out") / "anna"
    header, text = read_card(folder)
    assert header["license"] == "other" and "base_model" not in header
    assert "Not stated by who made this voice: ask before passing it on." in text
    assert "Nothing was measured." in text


def test_the_program_of_the_card_runs(speakers, record, tmp_path, monkeypatch):
    folder = pack(speakers, record, tmp_path / "out")
    text = (folder / "anna/README.md").read_text("utf-8")
    program = text.split("```python\n")[1].split("```")[0].replace("TEXT", "hello there")
    monkeypatch.chdir(folder)
    exec(compile(program, "README.md", "exec"), {})
    import soundfile

    samples, rate = soundfile.read("speech.wav")
    assert rate == 16_000 and abs(samples).max() > 0.05


def test_other_formats_are_beside_it(speakers, record, tmp_path):
    folder = pack(speakers, record, tmp_path / "out", ["piper"]) / "anna-piper"
    names = {path.name for path in folder.iterdir()}
    assert names == {"anna.onnx", "anna.onnx.json", "README.md", "LICENSE"}


def test_a_format_that_cannot_be_had_writes_nothing(speakers, record, tmp_path):
    with pytest.raises(ValueError, match="original VITS cannot have this model"):
        pack(speakers, record, tmp_path / "out", ["original"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("form", "made"), [("onnx", "model.onnx"), ("sherpa", "mine/tokens.txt")])
def test_packs_by_hand(stochastic, tmp_path, form, made, monkeypatch):
    line = [form, str(stochastic.model), str(tmp_path / "out"), "--language", "eng"]
    command.main(line + (["--name", "mine"] if form == "sherpa" else []))
    assert (tmp_path / "out" / made).is_file()
    with pytest.raises(SystemExit, match="exists already: give the name of a new folder"):
        command.main(line)
    with pytest.raises(SystemExit, match="holds no model; expected the folder model/ of a run"):
        command.main([form, str(tmp_path), str(tmp_path / "other")])


def test_the_speakers_of_a_pack_are_those_of_the_voice(speakers, record, tmp_path):
    folder = pack(speakers, record, tmp_path / "out") / "anna"
    expected = json.loads((speakers.model / "speakers.json").read_text())
    assert json.loads((folder / "speakers.json").read_text()) == expected

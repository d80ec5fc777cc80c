import json
import sys
import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from lib.base_model.tiny import write_tiny_model
from lib.files import read_json, write_json
from lib.logs import hide_loading_bars
from lib.synthesis import __main__ as command
from lib.synthesis.samples import synthesize_samples
from lib.synthesis.synthesizer import Synthesizer
from lib.text.frontend import TextFrontend


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A tiny model with two speakers, as `lib.base_model.export` writes it."""
    folder = tmp_path_factory.mktemp("model")
    write_tiny_model(folder)
    speakers = {"spk000": {"index": 0, "name": "Anna"}, "spk003": {"index": 1, "name": "spk003"}}
    write_json(folder / "speakers.json", speakers)
    return folder


@pytest.fixture(scope="module")
def synthesizer(model) -> Synthesizer:
    return Synthesizer(model)


def write_texts(
    folder: Path, train: list[str], validation: list[str], speakers: tuple[str, ...] = ("spk000",)
) -> Path:
    """Write what of a dataset the samples read; the speakers take turns."""
    for split, texts in (("train", train), ("validation", validation)):
        path = folder / split / "data.arrow"
        path.parent.mkdir(parents=True)
        ids = [f"c{number}" for number in reversed(range(len(texts)))]
        turns = [speakers[number % len(speakers)] for number in range(len(texts))]
        columns = {"id": ids, "transcript": texts, "speaker_id": turns}
        table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        with pa.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)
        state = {"_data_files": [{"filename": path.name}]}
        (path.parent / "state.json").write_text(json.dumps(state))
    return folder


def test_speakers_go_by_id_or_name(synthesizer):
    assert synthesizer.row("spk000") == synthesizer.row("Anna") == 0
    assert synthesizer.row("spk003") == 1
    with pytest.raises(ValueError, match=r"no speaker 'Bob'; there are: spk000 \(Anna\), spk003"):
        synthesizer.row("Bob")


def test_a_text_without_known_characters_is_refused(synthesizer):
    with pytest.raises(ValueError, match="no character of '漢字' is in the voice's vocabulary"):
        synthesizer.synthesize("漢字", "Anna")


def test_unknown_letters_are_told(synthesizer, caplog):
    ids = synthesizer.encode("Hello 7 ñandú, world!")
    assert "does not know 7 and leaves it out of: Hello 7 ñandú, world!" in caplog.text
    assert ids == synthesizer.encode("hello nandu world")
    caplog.clear()
    synthesizer.encode("Hello, WORLD!")
    assert not caplog.text


def test_the_users_replacements_travel_with_the_voice(synthesizer):
    synthesizer.frontend = TextFrontend({"7": "seven"})
    assert synthesizer.encode("7 bells") == synthesizer.encode("seven bells")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} holds no model"):
        Synthesizer(tmp_path)


def test_the_same_sentence_gives_the_same_waveform(synthesizer):
    one, other = (synthesizer.synthesize("hello", "Anna") for _ in range(2))
    assert np.array_equal(one, other)


def test_every_sentence_is_synthesized_with_every_speaker(model, tmp_path):
    output = tmp_path / "samples"
    dataset = write_texts(tmp_path / "data", ["a", "b"], [], ("spk000", "spk003"))
    synthesize_samples(model, dataset, ["hello", "漢字", "good day"], 9, output)
    assert read_json(output / "texts.json") == {"01": "hello", "02": "good day"}
    found = sorted(str(path.relative_to(output)) for path in output.rglob("*.wav"))
    assert found == [f"{s}/{n}.wav" for s in ("spk000", "spk003") for n in ("01", "02")]
    assert soundfile.info(output / found[0]).samplerate == 16_000
    assert soundfile.info(output / found[0]).frames > 0


def test_a_speaker_that_only_the_base_knows_has_no_samples(model, tmp_path):
    dataset = write_texts(tmp_path / "data", ["a"], ["b"], ("spk003",))
    synthesize_samples(model, dataset, ["hello"], 1, tmp_path / "samples")
    assert [path.name for path in (tmp_path / "samples").iterdir() if path.is_dir()] == ["spk003"]


def test_sentences_come_from_validation_first(model, tmp_path):
    dataset = write_texts(tmp_path / "data", ["third", "second"], ["first", "漢字", "zeroth"])
    synthesize_samples(model, dataset, [], 3, tmp_path / "samples")
    texts = read_json(tmp_path / "samples/texts.json")
    assert list(texts.values()) == ["zeroth", "first", "second"]


def test_no_known_sentence_is_an_error(model, tmp_path):
    dataset = write_texts(tmp_path / "data", ["漢字"], [])
    with pytest.raises(ValueError, match="samples.texts"):
        synthesize_samples(model, dataset, [], 3, tmp_path / "samples")
    assert not (tmp_path / "samples").exists()


def test_the_command_writes_speech(model, tmp_path):
    output = tmp_path / "hello.wav"
    command.main([str(model), "hello", "--speaker", "Anna", "--output", str(output)])
    assert soundfile.info(output).frames > 0


def test_the_command_says_what_is_wrong(model, tmp_path):
    with pytest.raises(SystemExit, match="no speaker 'Bob'"):
        command.main([str(model), "hello", "--speaker", "Bob"])
    with pytest.raises(SystemExit, match="holds no model"):
        command.main([str(tmp_path), "hello"])


def test_loading_shows_no_bars_but_downloads_do(model, capfd):
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils.logging import enable_progress_bar

    enable_progress_bar()
    hide_loading_bars()
    Synthesizer(model)
    assert "Loading weights" not in capfd.readouterr().err
    assert not are_progress_bars_disabled()


def test_scripts_without_transformers_do_not_import_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    monkeypatch.setitem(sys.modules, "transformers.utils.logging", types.ModuleType("none"))
    hide_loading_bars()
    assert "transformers" not in sys.modules

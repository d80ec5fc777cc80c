"""Piper speaks the pack. It is GPL: it lives in an environment of its own, made here."""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from lib.files import read_json, write_json
from lib.packs.piper import check_piper_alphabet, write_piper_pack
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import Synthesizer

VERSION = "1.8.0"
SPEAK = """
import json, sys
import numpy as np
from piper import PiperVoice, SynthesisConfig

voice = PiperVoice.load(sys.argv[1])
silent = {"noise_scale": 0.0, "noise_w_scale": 0.0, "normalize_audio": False}
for number, (text, speaker) in enumerate(json.loads(sys.argv[2])):
    chunks = voice.synthesize(text, SynthesisConfig(speaker_id=speaker, **silent))
    audio = np.concatenate([chunk.audio_float_array for chunk in chunks])
    np.save(f"{sys.argv[3]}/{number}.npy", audio)
"""


@pytest.fixture(scope="module")
def piper(tmp_path_factory) -> Path:
    """The interpreter of an environment with piper-tts."""
    folder = tmp_path_factory.mktemp("piper")
    venv.create(folder, with_pip=True)
    install = [folder / "bin/pip", "install", "--quiet", f"piper-tts=={VERSION}"]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"piper-tts {VERSION} cannot be had here: {done.stderr.strip()[-200:]}")
    return folder / "bin/python"


def test_piper_speaks_as_torch_does(piper, voice, tmp_path):
    (tmp_path / "pack").mkdir()
    write_piper_pack(voice.exported, tmp_path / "pack", "anna", "eng")
    model = Synthesizer(voice.model)
    last = model.model.num_speakers - 1
    spoken = [
        ["the quick brown fox", 0],
        ["It's a dog-house", last],
        ["Café, ünder", 0],
        ["a", last],
    ]
    line = [piper, "-c", SPEAK, tmp_path / "pack/anna.onnx", json.dumps(spoken), tmp_path]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for number, (text, speaker) in enumerate(spoken):
        got = np.load(tmp_path / f"{number}.npy")
        expected = model.model.generate(
            model.encode(text), speaker, Sound(noise=0.0, duration_noise=0.0)
        )
        assert got.shape == expected.shape, text
        np.testing.assert_allclose(got, expected, atol=2e-5)


def with_letters(voice, folder, letters) -> Path:
    """Copy an exported voice with another vocabulary, of as many letters."""
    shutil.copytree(voice.exported, folder)
    write_json(folder / "vocab.json", {letter: n for n, letter in enumerate(letters)})
    return folder


def test_the_table_gives_the_blanks_of_mms(speakers, tmp_path):
    write_piper_pack(speakers.exported, tmp_path, "anna", "eng")
    settings = read_json(tmp_path / "anna.onnx.json")
    table = settings["phoneme_id_map"]
    assert settings["phoneme_type"] == "text"
    # Piper's own order: begin, blank, then every letter and a blank, end.
    ids = [*table["^"], *table["_"]]
    for letter in "Hi":
        ids += [*table[letter], *table["_"]]
    assert ids + table["$"] == Synthesizer(speakers.exported).tokenizer.encode("hi")
    assert settings["num_speakers"] == len(settings["speaker_id_map"]) == 10


def test_letters_that_piper_takes_apart_are_named(speakers, tmp_path):
    folder = with_letters(speakers, tmp_path / "voice", "_ abéñ")
    with pytest.raises(ValueError, match="it takes é ñ apart.*Leave piper out of export.formats"):
        write_piper_pack(folder, tmp_path, "anna", "eng")
    # Marks that are letters of their own are no trouble.
    check_piper_alphabet(with_letters(speakers, tmp_path / "apart", "_ ab\u0301"))


@pytest.mark.parametrize(("letters", "named"), [("_ ab^", r"\^"), ("a _b$", r"\$ _")])
def test_letters_that_are_marks_of_piper_are_named(speakers, tmp_path, letters, named):
    with pytest.raises(ValueError, match=f"the letters {named} are marks of its own"):
        check_piper_alphabet(with_letters(speakers, tmp_path / "voice", letters))


def test_a_voice_without_blanks_is_refused(speakers, tmp_path):
    folder = with_letters(speakers, tmp_path / "voice", "_ ab")
    path = folder / "tokenizer_config.json"
    write_json(path, {**read_json(path), "add_blank": False})
    with pytest.raises(ValueError, match="puts a blank between letters"):
        check_piper_alphabet(folder)


def test_our_environment_has_no_gpl_in_it():
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('piper') is not None)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

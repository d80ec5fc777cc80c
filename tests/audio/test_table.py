"""Sidecars to one table and back; WAV files to samples and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.convert import convert
from lib.audio.measurement import read_sidecar
from lib.audio.table import COLUMNS, collect_measurements, read_measurements
from lib.audio.wav import read_wav, write_wav
from lib.config.audio import AudioSettings
from lib.files import write_json
from tests.audio.encoding import encode, speechlike, wav

CLIPS = {
    "b-good": wav(speechlike()),
    "a-empty": b"",
    "c-cut": encode(speechlike(6, 48_000), "webm", "libopus")[:20_000],
}


@pytest.fixture
def sidecars(tmp_path):
    for name, audio in CLIPS.items():
        paths = tmp_path / f"{name}.wav", tmp_path / f"{name}.json"
        convert(name, audio, *paths, AudioSettings())
    return sorted(tmp_path.glob("*.json"), reverse=True)


def test_table_gives_back_what_the_sidecars_say(tmp_path, sidecars):
    table = tmp_path / "measurements.tsv"

    collect_measurements(sidecars, table)

    measured = read_measurements(table)
    assert measured == {path.stem: read_sidecar(path) for path in sidecars}
    assert list(measured) == sorted(CLIPS)
    assert measured["c-cut"].warnings


def test_table_is_plain_tab_separated_text(tmp_path, sidecars):
    table = tmp_path / "measurements.tsv"
    broken = {**read_fields(sidecars[0]), "detail": "a\tb\nc", "warnings": ["x\ty"]}
    write_json(sidecars[0], broken)

    collect_measurements(sidecars, table)

    lines = table.read_text("utf-8").splitlines()
    assert lines[0] == "\t".join(COLUMNS)
    assert [line.count("\t") for line in lines] == [len(COLUMNS) - 1] * (len(CLIPS) + 1)
    assert read_measurements(table)["c-cut"].detail == "a b c"


def read_fields(path):
    from lib.files import read_json

    return read_json(path)


@pytest.mark.parametrize("content", ["", "not json", "{}", "[]", '{"clip": "a"}'])
def test_damaged_sidecar_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)

    with pytest.raises(ValueError, match="a.json: not a clip's sidecar"):
        read_sidecar(path)


def test_foreign_table_is_named(tmp_path):
    table = tmp_path / "measurements.tsv"
    table.write_text("clip\tstatus\n")

    with pytest.raises(ValueError, match="measurements.tsv: got columns clip, status, expected"):
        read_measurements(table)


@settings(max_examples=30)
@given(samples=st.lists(st.integers(-32768, 32767), max_size=50))
def test_wav_gives_back_its_samples(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("wav") / "a.wav"

    write_wav(path, np.array(samples, np.int16), 16_000)

    np.testing.assert_array_equal(read_wav(path), samples)
    assert read_wav(path).dtype == np.int16


def test_wav_bytes_are_these(tmp_path):
    write_wav(tmp_path / "a.wav", np.array([1, -2], np.int16), 16_000)

    assert (tmp_path / "a.wav").read_bytes().hex() == (
        "524946462800000057415645666d74201000000001000100803e0000007d000002001000"
        "64617461040000000100feff"
    )


def test_only_int16_is_written(tmp_path):
    with pytest.raises(ValueError, match="float32 with shape"):
        write_wav(tmp_path / "a.wav", np.zeros(3, np.float32), 16_000)


def test_foreign_wav_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(speechlike(), layout="stereo"))

    with pytest.raises(ValueError, match="2 channels of 16 bits"):
        read_wav(tmp_path / "a.wav")

"""Files of speech: every format, any length, one loudness, whole or absent."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pyloudnorm
import pytest
import soundfile

from lib.synthesis.audio_file import FORMATS, write_speech
from tests.audio.encoding import speechlike

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000


def read(path: Path) -> np.ndarray:
    """Decode with FFmpeg, at 16 kHz."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("flt", "mono", RATE)
        frames = [f for frame in file.decode(audio=0) for f in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_what_was_spoken(tmp_path, form):
    speech = speechlike(2.0)
    parts = [speech[:9_000], np.zeros(8_000, np.float32), speech[9_000:]]
    spoken = write_speech(tmp_path / f"a.{form}", parts, RATE, None)
    assert spoken.duration == pytest.approx(2.5)
    got = read(tmp_path / f"a.{form}")
    assert len(got) / RATE == pytest.approx(2.5, abs=0.1)
    whole = np.concatenate(parts)
    # Encoders shift by some milliseconds.
    shifts = [np.vdot(whole[1000:30_000], got[1000 + k : 30_000 + k]) for k in range(-999, 2000)]
    norms = np.linalg.norm(whole[1000:30_000]) * np.linalg.norm(got[1000:30_000])
    assert max(shifts) / norms > 0.8
    quiet = got[10_500:16_000]
    assert np.abs(quiet).max() < 0.05 < np.abs(got).max()


@pytest.mark.parametrize("level", [0.01, 0.1])
def test_speech_has_the_loudness_that_is_asked_for(tmp_path, level):
    parts = [speechlike(3.0, level=level), np.zeros(RATE, np.float32), speechlike(2.0, level=level)]
    spoken = write_speech(tmp_path / "a.wav", parts, RATE, -23.0, peak_ceiling=0.0)
    got, _ = soundfile.read(tmp_path / "a.wav")
    assert pyloudnorm.Meter(RATE).integrated_loudness(got) == pytest.approx(-23, abs=0.3)
    assert spoken.gain > 0 if level == 0.01 else spoken.gain < 20


def test_a_peak_stays_below_the_ceiling(tmp_path):
    click = np.full(RATE, 0.001, np.float32) * speechlike(1.0, level=1.0)
    click[500] = 0.5
    write_speech(tmp_path / "a.wav", [click], RATE, -10.0, peak_ceiling=-1.0)
    assert np.abs(soundfile.read(tmp_path / "a.wav")[0]).max() <= 10 ** (-1 / 20) + 1e-3


def test_silence_stays_silence(tmp_path):
    write_speech(tmp_path / "a.wav", [np.zeros(100, np.float32)], RATE, -23.0)
    assert not soundfile.read(tmp_path / "a.wav")[0].any()


def test_another_format_is_refused_before_anything_is_spoken(tmp_path):
    def speech():
        raise AssertionError("spoken")
        yield

    with pytest.raises(
        ValueError, match="the format is 'ogg', expected one of wav, flac, webm, mp3"
    ):
        write_speech(tmp_path / "a.ogg", speech(), RATE, None)


def test_what_ends_halfway_leaves_the_old_file(tmp_path):
    def speech():
        yield speechlike(1.0)
        raise ValueError("no")

    (tmp_path / "a.webm").write_bytes(b"old")
    with pytest.raises(ValueError, match="no"):
        write_speech(tmp_path / "a.webm", speech(), RATE, None)
    assert (tmp_path / "a.webm").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.webm"]


@pytest.mark.parametrize("form", ["wav", "webm"])
def test_the_memory_does_not_grow_with_the_length(tmp_path, form):
    """Half an hour and two minutes take the same: the speech is never in the memory as a whole."""
    program = (
        "import sys, resource, numpy as np; from lib.synthesis.audio_file import write_speech;"
        "part = np.random.default_rng(0).standard_normal(160_000).astype('f') / 20;"
        "write_speech(__import__('pathlib').Path(sys.argv[1]),"
        " (part for _ in range(int(sys.argv[2]))), 16_000, -23.0);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for count in (12, 180):
        line = [sys.executable, "-c", program, str(tmp_path / f"a.{form}"), str(count)]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 20, peaks

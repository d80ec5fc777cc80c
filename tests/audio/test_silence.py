"""Silence at the ends is cut off if asked for, speech never."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.decode import decode
from lib.audio.silence import find_speech
from lib.audio.spectrum import make_spectrogram
from lib.config.audio import AudioSettings
from tests.audio.encoding import wav
from tests.audio.test_convert import run

RATE = 16_000
TRIM = AudioSettings(trim_silence=True)


def background(seconds: float, level: float = 0.0005) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(round(seconds * RATE))
    return (level * noise).astype(np.float32)


def speech(seconds: float) -> np.ndarray:
    """Sound from the first to the last sample."""
    noise = np.random.default_rng(2).standard_normal(round(seconds * RATE))
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(noise.size) / RATE)
    return (0.1 * noise * syllables).astype(np.float32)


def padded(before: float, middle: float, after: float) -> np.ndarray:
    ends = np.zeros(round(before * RATE)), np.zeros(round(after * RATE))
    samples = np.concatenate([ends[0], speech(middle), ends[1]])
    return (samples + background(samples.size / RATE)).astype(np.float32)


def test_off_is_off(tmp_path):
    samples, measured = run(tmp_path, wav(padded(1.5, 2, 1)))
    assert samples.size == 4.5 * RATE
    assert (measured.trimmed_start, measured.trimmed_end) == (0, 0)


def test_the_ends_are_cut_and_the_cuts_are_on_record(tmp_path):
    audio = wav(padded(1.5, 2, 1))
    whole, _ = run(tmp_path, audio)
    samples, measured = run(tmp_path, audio, TRIM)
    assert measured.trimmed_start == pytest.approx(1.3, abs=0.07)
    assert measured.trimmed_end == pytest.approx(0.8, abs=0.07)
    cut = measured.trimmed_start + measured.trimmed_end
    assert measured.duration == pytest.approx(4.5 - cut) == samples.size / RATE
    assert measured.source.duration == 4.5
    # The rest is what it was, but for the gain, which is that of the rest.
    start = round(measured.trimmed_start * RATE)
    kept = whole[start : start + samples.size].astype(float)
    assert np.corrcoef(kept, samples)[0, 1] > 0.9999
    assert measured.loudness_after == pytest.approx(-23, abs=0.01)


def test_what_was_cut_off_has_no_say_in_the_gain(tmp_path):
    samples = padded(2, 2, 1)
    samples[RATE // 2 : RATE // 2 + 30] = 0.9
    _, whole = run(tmp_path, wav(samples))
    _, trimmed = run(tmp_path, wav(samples), TRIM)
    assert whole.peak_bound and not trimmed.peak_bound
    assert trimmed.loudness_after == pytest.approx(-23, abs=0.01)


@settings(max_examples=40)
@given(
    before=st.floats(0, 3),
    middle=st.floats(0.5, 3),
    after=st.floats(0, 3),
    margin=st.floats(0, 0.5),
)
def test_speech_stays_whole(before, middle, after, margin):
    begin, end = find_speech(make_spectrogram(padded(before, middle, after), RATE), margin)
    assert before - margin - 0.07 <= begin <= before - margin + 0.04
    assert before + middle + margin - 0.04 <= end <= before + middle + margin + 0.07


def test_a_click_is_not_speech():
    samples = padded(2, 2, 2)
    samples[RATE // 2 : RATE // 2 + 30] = 0.5
    begin, _ = find_speech(make_spectrogram(samples, RATE), 0)
    assert begin == pytest.approx(2, abs=0.07)


@pytest.mark.parametrize("samples", [speech(2), background(2), np.zeros(2 * RATE), np.zeros(100)])
def test_where_nothing_stands_out_nothing_is_cut(samples):
    begin, end = find_speech(make_spectrogram(samples.astype(np.float32), RATE), 0)
    assert begin <= 0 and end >= samples.size / RATE - 0.065


def test_what_is_left_may_be_too_short(tmp_path):
    samples, measured = run(
        tmp_path, wav(padded(2, 0.2, 2)), AudioSettings(trim_silence=True, trim_margin=0.05)
    )
    assert (measured.status, measured.reason) == ("rejected", "too_short")
    assert measured.value == pytest.approx(0.3, abs=0.1)
    assert samples.size == 0


def test_recorded_speech_keeps_its_energy(real_speech):
    """Whatever is cut off lies 18 dB and more below the clip; most of it is a breath or click."""
    for path in sorted(real_speech.glob("*/*/*.wav"))[::4]:
        samples = decode(path.read_bytes(), RATE, 60).samples.astype(np.float64)
        begin, end = find_speech(make_spectrogram(samples.astype(np.float32), RATE), 0.2)
        kept = samples[max(0, round(begin * RATE)) : round(min(end * RATE, samples.size))]
        assert 1 - np.sum(kept**2) / np.sum(samples**2) < 0.016, path

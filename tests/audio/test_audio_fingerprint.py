"""The bits that a recording keeps, whatever it is encoded with."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.audio_fingerprint import make_fingerprint, read_fingerprint
from lib.audio.decode import decode
from lib.audio.spectrum import make_spectrogram
from tests.audio.encoding import encode, speechlike, wav

RATE = 16_000


def print_of(samples: np.ndarray) -> np.ndarray:
    return read_fingerprint(make_fingerprint(make_spectrogram(samples.astype(np.float32), RATE)))


def wrong_bits(one: np.ndarray, other: np.ndarray) -> float:
    count = min(one.size, other.size)
    return float(np.bitwise_count(one[:count] ^ other[:count]).mean() / 16)


def test_bits_tell_whether_a_level_difference_rises():
    """A tone that glides upwards through one band leaves its mark in the right place."""
    times = np.arange(4 * RATE) / RATE
    glide = np.sin(2 * np.pi * (300 + 250 * times) * times)
    codes = print_of(glide + 1e-3 * np.random.default_rng(0).standard_normal(times.size))
    assert codes.dtype == np.uint16 and codes.size == 124 - 11
    assert len(set(codes.tolist())) > 30


@settings(max_examples=20)
@given(gain=st.floats(1e-3, 10))
def test_gain_does_not_matter(gain):
    samples = speechlike(3)
    assert wrong_bits(print_of(samples), print_of(gain * samples)) < 0.002


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("webm", "libopus", 48_000),
        ("mp3", "libmp3lame", 44_100),
        ("flac", "flac", 96_000),
        ("wav", "pcm_alaw", 8_000),
    ],
)
def test_a_codec_leaves_most_bits(container, codec, rate):
    original = speechlike(4, 48_000)
    one = print_of(decode(wav(original, 48_000), RATE, 20).samples)
    again = soxr.resample(original, 48_000, rate)
    other = print_of(decode(encode(again, container, codec, rate), RATE, 20).samples)
    assert wrong_bits(one, other) < 0.2


def test_other_sound_shares_half_of_the_bits():
    random = np.random.default_rng(1)
    one, other = (print_of(random.standard_normal(20 * RATE)) for _ in range(2))
    assert wrong_bits(one, other) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("level", [0, 1e-5])
def test_silence_has_no_bits(level):
    silence = level * np.random.default_rng(0).standard_normal(2 * RATE)
    samples = np.concatenate([speechlike(2), silence, speechlike(2)])
    codes = print_of(samples)
    middle = slice(round(2.5 / 0.032), round(3.4 / 0.032))
    assert not codes[middle].any()
    assert np.count_nonzero(codes[:55]) > 45
    assert not print_of(np.zeros(2 * RATE)).any()


@pytest.mark.parametrize("seconds", [0, 0.01, 0.3])
def test_a_very_short_clip_has_none(seconds):
    samples = speechlike(1)[: round(seconds * RATE)]
    assert make_fingerprint(make_spectrogram(samples, RATE)) is None


def test_no_more_than_half_a_minute_is_kept():
    assert print_of(speechlike(31)).size == print_of(speechlike(45)).size == 938 - 11

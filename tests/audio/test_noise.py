"""Noise of a known level is read as what it is."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.decode import decode
from lib.audio.noise import estimate_snr
from lib.audio.spectrum import make_spectrogram
from tests.audio.encoding import speechlike

RATE = 16_000


def snr_of(samples: np.ndarray, rate: int = RATE) -> float | None:
    return estimate_snr(make_spectrogram(samples.astype(np.float32), rate))


def add_noise(samples: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    gain = np.sqrt(np.mean(samples**2) / np.mean(noise**2) / 10 ** (snr / 10))
    return samples + gain * noise


def white(count: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(count)


def pink(count: int) -> np.ndarray:
    spectrum = np.fft.rfft(white(count))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(spectrum.size), 1)), count)


def hum(count: int) -> np.ndarray:
    times = np.arange(count) / RATE
    return sum(np.sin(2 * np.pi * 50 * k * times + k) / k for k in range(1, 8))


@pytest.mark.parametrize("snr", [0, 5, 10, 15, 20, 30])
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_known_noise_is_read(snr, rate):
    samples = speechlike(5, rate)
    noise = white(samples.size)
    assert snr_of(add_noise(samples, noise, snr), rate) == pytest.approx(snr, abs=2)


def test_noise_alone_has_no_speech():
    assert snr_of(white(4 * RATE)) < -8


@settings(max_examples=20)
@given(gain=st.floats(1e-4, 10), seconds=st.floats(0.05, 4))
def test_gain_does_not_matter(gain, seconds):
    samples = add_noise(speechlike(4), white(4 * RATE), 12)[: round(seconds * RATE)]
    assert snr_of(gain * samples) == pytest.approx(snr_of(samples), abs=0.05)


@pytest.mark.parametrize("level", [0, 1e-7])
def test_digital_silence_does_not_hide_noise(level):
    noisy = add_noise(speechlike(3), white(3 * RATE), 10)
    silence = level * white(3 * RATE)
    padded = np.concatenate([silence, noisy, silence])
    assert snr_of(padded) == pytest.approx(snr_of(noisy), abs=0.5)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(0), np.zeros(3)])
def test_nothing_has_no_ratio(samples):
    assert snr_of(samples) is None


def test_it_is_bounded():
    steps = np.repeat([1.0, 1e-3], RATE) * np.sin(np.arange(2 * RATE))
    assert -80 <= snr_of(steps) <= 80


@cache
def recorded(real_speech, names: str, every: int = 1) -> list[np.ndarray]:
    paths = sorted(real_speech.glob(names))[::every]
    return [decode(path.read_bytes(), RATE, 60).samples.astype(np.float64) for path in paths]


@pytest.mark.parametrize("snr", [5, 10, 15, 20])
@pytest.mark.parametrize(("noise", "error"), [(white, 1.0), (pink, 5.5), (hum, 2.8)])
def test_noise_added_to_recorded_speech_is_read(real_speech, snr, noise, error):
    """Nothing was tuned on these; nine of ten clips are within the error."""
    for names in ("an4/*/*.wav", "yoruba/*/*.wav"):
        clips = recorded(real_speech, names, every=12)
        errors = [snr_of(add_noise(c, noise(c.size), snr)) - snr for c in clips]
        assert np.quantile(np.abs(errors), 0.9) < error, names
        assert np.abs(errors).max() < 6.5


def test_recorded_speech_is_above_the_threshold(real_speech):
    from lib.config.dataset import DatasetSettings

    for samples in recorded(real_speech, "*/*/*.wav"):
        assert snr_of(samples) > DatasetSettings().min_snr

"""Mel-cepstral distortion against values computed by hand."""

import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.evaluation import acoustics
from lib.evaluation.acoustics import measure_pitch, mel_cepstral_distortion, mel_cepstrum


def speechlike(seed: int, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * np.cumsum(rng.uniform(90, 240) * (1 + 0.1 * np.sin(5 * time))) / 16_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 20)) + 0.1 * rng.normal(size=len(time))
    return 0.1 * voice * (1.2 + np.sin(2 * np.pi * rng.uniform(1, 4) * time))


def test_the_cepstrum_gives_back_a_smooth_spectrum(monkeypatch):
    # log |X| = 0.5 + 0.3 cos(w) - 0.2 cos(3 w) over the bands.
    angle = np.pi * (np.arange(80) + 0.5) / 80
    spectrum = np.exp(0.5 + 0.3 * np.cos(angle) - 0.2 * np.cos(3 * angle))
    monkeypatch.setattr(
        acoustics.librosa.feature, "melspectrogram", lambda **named: spectrum[:, None]
    )
    expected = np.zeros(13)
    expected[0], expected[2] = 0.3, -0.2
    np.testing.assert_allclose(mel_cepstrum(np.zeros(1))[0], expected, atol=1e-12)


def test_a_known_difference_in_decibels(monkeypatch):
    cepstra = iter([np.zeros((4, 13)), np.tile(np.eye(13)[1] * 0.5, (4, 1))])
    monkeypatch.setattr(acoustics, "mel_cepstrum", lambda samples: next(cepstra))
    # 10 / ln 10 * sqrt(2 * 0.5^2) = 3.0709 dB
    assert mel_cepstral_distortion(np.zeros(1), np.zeros(1)) == pytest.approx(3.0709, abs=1e-4)


@given(st.integers(0, 99), st.floats(0.05, 1.0))
@settings(max_examples=10)
def test_loudness_does_not_count(seed, gain):
    samples = speechlike(seed)
    assert mel_cepstral_distortion(samples, gain * samples) == pytest.approx(0, abs=1e-6)


def test_time_is_aligned_and_another_sound_is_farther():
    samples = speechlike(1, 1.0)
    slow = np.concatenate([samples[:8000], np.tile(samples[7744:8000], 10), samples[8000:]])
    same, other = (mel_cepstral_distortion(s, samples) for s in (slow, speechlike(2, 1.0)))
    assert same < 1.0 < 2.0 < other


def test_both_directions_are_equal():
    one, other = speechlike(3), speechlike(4, 1.3)
    there, back = mel_cepstral_distortion(one, other), mel_cepstral_distortion(other, one)
    assert there == pytest.approx(back, rel=1e-9)


def test_the_pitch_of_a_buzz_is_its_fundamental():
    time = np.arange(16_000) / 16_000
    steady = sum(np.sin(2 * np.pi * 150 * n * time) / n for n in range(1, 9)) / 4
    pitch = measure_pitch(steady)
    assert pitch.median == pytest.approx(150, rel=0.01) and pitch.spread < 0.1
    glide = np.sin(2 * np.pi * np.cumsum(120 * 2**time) / 16_000)
    assert measure_pitch(glide).spread > 2, "an octave in a second"


def test_noise_and_what_is_too_short_have_no_pitch():
    assert measure_pitch(np.zeros(100)) is None
    assert measure_pitch(np.random.default_rng(0).normal(size=3000)) is None


def test_the_learned_score_hears_the_beginning_and_needs_no_torchaudio(monkeypatch):
    """Stands in for the package, which is no part of this environment."""

    class Model(torch.nn.Module):
        def forward(self, batch):
            assert not self.training and not torch.is_grad_enabled()
            return batch.abs().sum(dim=1) + batch.shape[1]

    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    package = types.ModuleType("distillmos")
    package.ConvTransformerSQAModel = Model
    monkeypatch.setattr(
        acoustics.importlib,
        "import_module",
        lambda name: package if "torchaudio" in sys.modules and name == "distillmos" else None,
    )
    score = acoustics.QualityScore()
    assert "torchaudio" not in sys.modules
    assert score.measure(np.full(1_000, 0.5)) == 1_500
    # 7.68 s are heard.
    assert score.measure(np.concatenate([np.zeros(122_880), np.ones(9)])) == 122_880

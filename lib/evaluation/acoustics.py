"""Figures of the sound alone: distortion from a recording, pitch, and a learned quality score.

Packages for mel-cepstral distortion need WORLD or SPTK, which are built from source. librosa has
the mel spectrogram and the time alignment, of which the measure consists.
"""

import contextlib
import importlib
import io
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass

import librosa
import numpy as np
import torch

from lib.mms import HOP_LENGTH, SAMPLE_RATE

_ORDER = 13
_BANDS = 80
_FFT = 1024
_PITCHES = (65.0, 500.0)
"""Lowest and highest pitch of a voice that is looked for, in Hz."""
_HEARD = 122_880
_PITCH_FRAME, _PITCH_HOP = 2048, 512


def mel_cepstrum(samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Return the mel-cepstrum without its zeroth coefficient, the loudness.

    Parameters
    ----------
    samples
        ``(samples,)`` float in [-1, 1].

    Returns
    -------
    np.ndarray
        ``(frames, 13)``: the coefficients ``c`` of ``log |X| = c0 + sum c_m cos(m w)`` over the
        mel scale, for a frame every 256 samples.
    """
    mel = librosa.feature.melspectrogram(
        y=samples, sr=sample_rate, n_fft=_FFT, hop_length=HOP_LENGTH, n_mels=_BANDS, power=1.0
    )
    # Recordings have no digital silence. Without the floor it would dominate the distortion.
    log_mel = np.log(np.maximum(mel, max(mel.max() * 1e-4, 1e-9)))
    angles = np.pi * np.outer(np.arange(1, _ORDER + 1), np.arange(_BANDS) + 0.5) / _BANDS
    return (2 / _BANDS * np.cos(angles) @ log_mel).T


def mel_cepstral_distortion(synthesized: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean distance of the mel-cepstra in dB, after aligning them in time.

    The distance of a pair of frames is ``10 / ln 10 * sqrt(2 * sum (c - c')^2)`` (Kubichek 1993).
    It is averaged over the path of least total distance (dynamic time warping).

    Parameters
    ----------
    synthesized, reference
        ``(samples,)`` float in [-1, 1], 16 kHz.
    """
    one, other = mel_cepstrum(synthesized), mel_cepstrum(reference)
    costs, path = librosa.sequence.dtw(one.T, other.T, metric="euclidean")
    return float(10 / np.log(10) * np.sqrt(2) * costs[-1, -1] / len(path))


# ---------------------------------------------------------------- pitch


@dataclass(frozen=True)
class Pitch:
    """How high a voice is, and how lively its melody."""

    median: float
    """Hz."""
    spread: float
    """Standard deviation in semitones."""


def measure_pitch(samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> Pitch | None:
    """Measure the fundamental frequency of speech by YIN (de Cheveigne and Kawahara 2002).

    Frames count that are loud (within 25 dB of the loudest) and whose pitch goes on into the next
    one, within a semitone: what YIN finds in noise jumps about.

    Parameters
    ----------
    samples
        ``(samples,)`` float in [-1, 1].

    Returns
    -------
    Pitch or None
        None if there are fewer than ten such frames.
    """
    lowest, highest = _PITCHES
    if len(samples) < _PITCH_FRAME:
        return None
    windows = {"frame_length": _PITCH_FRAME, "hop_length": _PITCH_HOP}
    audio = samples.astype(np.float32)
    found = librosa.yin(audio, fmin=lowest, fmax=highest, sr=sample_rate, **windows)
    power = librosa.feature.rms(y=audio, **windows)[0] ** 2
    count = min(len(found), len(power))
    semitones = 12 * np.log2(found[:count])
    goes_on = np.append(np.abs(np.diff(semitones)) < 1, False)
    # At the limits stands what has no pitch within them.
    inside = (found[:count] > lowest * 1.02) & (found[:count] < highest * 0.98)
    kept = semitones[goes_on & inside & (power[:count] > power.max() * 10**-2.5)]
    if len(kept) < 10:
        return None
    return Pitch(float(2 ** (np.median(kept) / 12)), float(np.std(kept)))


# ---------------------------------------------------------------- learned quality


class QualityScore:
    """Distill-MOS (Stahl and Gamper 2025, arXiv 2502.05356): a mean opinion score from 1 to 5.

    A network that was trained on people's ratings of recorded and transmitted speech. Its weights
    are part of the package, so that nothing is downloaded. It says nothing of formant synthesis.
    """

    def __init__(self) -> None:
        with _without_torchaudio(), contextlib.redirect_stdout(io.StringIO()):
            self._model = importlib.import_module("distillmos").ConvTransformerSQAModel().eval()

    @torch.no_grad()
    def measure(self, samples: np.ndarray) -> float:
        """Return the score of speech, ``(samples,)`` float in [-1, 1] at 16 kHz.

        Of long speech the first 7.68 s are heard, which is what the network takes at once.
        """
        heard = torch.from_numpy(samples[:_HEARD].astype(np.float32))
        return float(self._model(heard.unsqueeze(0)))


@contextlib.contextmanager
def _without_torchaudio() -> Iterator[None]:
    """Let distillmos be imported without torchaudio, which only its own command reads files with.

    The library of torchaudio does not load beside every build of torch.
    """
    missing = "torchaudio" not in sys.modules
    if missing:
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    try:
        yield
    finally:
        if missing:
            del sys.modules["torchaudio"]

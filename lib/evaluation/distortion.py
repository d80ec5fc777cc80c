"""How far synthesised speech is from a recording of the same words.

Packages for mel-cepstral distortion want WORLD or SPTK, which are built from source; librosa has
the mel spectrogram and the alignment that the measure is made of.
"""

import librosa
import numpy as np

from lib.mms import HOP_LENGTH, SAMPLE_RATE

_ORDER = 13
_BANDS = 80
_FFT = 1024


def mel_cepstrum(samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Return the mel-cepstrum without its zeroth coefficient, which is loudness.

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
    # The floor keeps digital silence, which recordings do not have, from deciding the figure.
    log_mel = np.log(np.maximum(mel, max(mel.max() * 1e-4, 1e-9)))
    angles = np.pi * np.outer(np.arange(1, _ORDER + 1), np.arange(_BANDS) + 0.5) / _BANDS
    return (2 / _BANDS * np.cos(angles) @ log_mel).T


def mel_cepstral_distortion(spoken: np.ndarray, reference: np.ndarray) -> float:
    """Mean distance of the mel-cepstra in dB, after aligning them in time.

    ``10 / ln 10 * sqrt(2 * sum (c - c')^2)`` (Kubichek 1993) per pair of frames, averaged over the
    path of least total distance (dynamic time warping).

    Parameters
    ----------
    spoken, reference
        ``(samples,)`` float in [-1, 1], 16 kHz.
    """
    one, other = mel_cepstrum(spoken), mel_cepstrum(reference)
    costs, path = librosa.sequence.dtw(one.T, other.T, metric="euclidean")
    return float(10 / np.log(10) * np.sqrt(2) * costs[-1, -1] / len(path))

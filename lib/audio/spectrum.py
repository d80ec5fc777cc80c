"""The short-time power spectrum, from which noise, silence and audio fingerprint are computed."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

WINDOW_SECONDS = 0.064  # windows overlap by half


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """Power by time and frequency.

    Attributes
    ----------
    powers
        (num_frames, num_bins) float32; there is at least one frame.
    sample_rate
        Hz.
    """

    powers: np.ndarray
    sample_rate: int

    @property
    def step(self) -> float:
        """Seconds from one frame to the next; a frame is twice as long."""
        return _window(self.sample_rate).size / 2 / self.sample_rate

    def bands(self, lowest: float, highest: float, num_bands: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the power in bands that are spaced evenly in pitch, and their numbers of bins.

        Parameters
        ----------
        lowest, highest
            Hz.

        Returns
        -------
        tuple
            Powers (num_frames, num_bands) float32 and numbers of bins (num_bands,) int.
        """
        edges = np.geomspace(lowest, highest, num_bands + 1)
        bins = np.rint(edges * _window(self.sample_rate).size / self.sample_rate).astype(int)
        # Each band gets at least one bin; the lowest would be narrower.
        bins = np.maximum.accumulate(bins - np.arange(bins.size)) + np.arange(bins.size)
        bands = np.add.reduceat(self.powers[:, : bins[-1]], bins[:-1], axis=1)
        return bands, np.diff(bins)


def make_spectrogram(samples: np.ndarray, sample_rate: int) -> Spectrogram:
    """Take the spectrogram of mono `samples`, (num_samples,) float32."""
    window = _window(sample_rate)
    if samples.size < window.size:
        samples = np.pad(samples, (0, window.size - samples.size))
    frames = np.lib.stride_tricks.sliding_window_view(samples, window.size)[:: window.size // 2]
    spectrum = np.fft.rfft(frames * window, axis=1)
    return Spectrogram(np.square(spectrum.real) + np.square(spectrum.imag), sample_rate)


def moving_mean(values: np.ndarray, length: int) -> np.ndarray:
    """Return the means of `length` rows in a row; the mean of all rows if there are fewer."""
    length = min(length, len(values))
    sums = np.cumsum(values, axis=0, dtype=np.float64)
    sums[length:] -= sums[:-length].copy()
    return sums[length - 1 :] / length


@lru_cache(maxsize=4)
def _window(sample_rate: int) -> np.ndarray:
    half = round(WINDOW_SECONDS * sample_rate / 2)
    return np.hanning(2 * half + 1)[:-1].astype(np.float32)

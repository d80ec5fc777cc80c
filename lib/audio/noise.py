"""How far speech stands out from the noise behind it."""

from functools import lru_cache

import numpy as np

from lib.audio.spectrum import Spectrogram, moving_mean

LOWEST, HIGHEST, NUM_BANDS = 60.0, 7600.0, 24  # Hz
# In each band a tenth of the time is taken to be free of speech, as in minimum statistics (Martin,
# "Noise power spectral density estimation based on optimal smoothing and minimum statistics",
# IEEE Trans. Speech Audio Process. 9, 2001): between words, or where a sound has nothing there.
FREE_SHARE = 0.1
SMOOTHED_FRAMES = 3
HANN_BANDWIDTH = 1.5  # bins: as many neighbours tell the same
# Frames this far below the loudest (as power) were put there by an editor or codec.
DIGITAL_SILENCE = 1e-8
HIGHEST_SNR = 80.0  # dB


def estimate_snr(spectrogram: Spectrogram) -> float | None:
    """Return the signal-to-noise ratio of a clip in dB.

    The noise in a band is the power that it falls to for a tenth of the time, corrected for being
    the low end of what noise fluctuates by; what exceeds it is speech. So steady noise counts,
    other voices and music hardly. None for a clip of nothing.

    Noise of 5 to 20 dB added to recorded speech (AN4, Yoruba) is read within 5 dB in every clip;
    nine of ten are within 1.2 dB (white), 1.7 dB (hum), 3.7 dB (babble) and 4.3 dB (pink, read too
    low as a third of it is below 60 Hz). At 30 dB speech without pauses looks noisier than it is,
    by 1 to 5 dB on average and 12 dB at worst. WADA-SNR (Kim and Stern, Interspeech 2008) reads
    the same clips at 20 dB with standard deviations of 5 to 6 dB and is 15 dB off at 30 dB: their
    amplitudes do not have the distribution that it assumes.
    """
    highest = min(HIGHEST, 0.475 * spectrogram.sample_rate)
    bands, widths = spectrogram.bands(LOWEST, highest, NUM_BANDS)
    loudness = bands.sum(axis=1)
    bands = bands[loudness > DIGITAL_SILENCE * loudness.max()]
    if not len(bands):
        return None
    smooth = moving_mean(bands, SMOOTHED_FRAMES)
    low = int(FREE_SHARE * len(smooth))
    noise = np.partition(smooth, low, axis=0)[low] / _low_ends(tuple(widths))
    speech = np.maximum(bands.mean(axis=0) - noise, 0).sum()
    ratio = 10 * np.log10(max(speech, 1e-9 * noise.sum()) / max(noise.sum(), 1e-9 * speech))
    return float(np.clip(ratio, -HIGHEST_SNR, HIGHEST_SNR))


@lru_cache(maxsize=8)
def _low_ends(widths: tuple[int, ...]) -> np.ndarray:
    """Return what Gaussian noise falls to for the free share of the time, as part of its mean.

    The power of a band is a sum of squares: gamma distributed, the steadier the more bins and
    frames it is the mean of. Wilson and Hilferty's approximation of the quantile (1931).
    """
    shapes = np.maximum(np.array(widths) / HANN_BANDWIDTH, 1) * SMOOTHED_FRAMES
    normal_quantile = -1.2815515655446004  # of FREE_SHARE
    return (1 - 1 / (9 * shapes) + normal_quantile / (3 * np.sqrt(shapes))) ** 3

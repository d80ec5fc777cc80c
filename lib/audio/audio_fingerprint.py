"""Audio fingerprints, by which copies of a recording in other encodings are found.

The method is that of Haitsma and Kalker, "A highly robust audio fingerprinting system" (ISMIR
2002). One bit for each pair of neighbouring bands says whether the difference of their levels rises
or falls. Gain, sample rate and codec change few of these bits. Two recordings have half of them in
common, also two takes of the same words.
"""

import base64

import numpy as np

from lib.audio.spectrum import Spectrogram, moving_mean

NUM_BITS = 16
LOWEST, HIGHEST = 200.0, 3400.0  # Hz: the band of a telephone
# Numbers of frames. The long windows overlap so much that a delay of half a frame changes little.
SMOOTHING = (8, 4)
# Frames 60 dB below the loudest get the code 0, which sound hardly ever has.
SILENCE = 1e-6
LONGEST = 30.0  # s; that is enough to distinguish any two recordings


def make_fingerprint(spectrogram: Spectrogram) -> str | None:
    """Return a clip's audio fingerprint as text; None for one shorter than half a second."""
    bands, _ = spectrogram.bands(LOWEST, HIGHEST, NUM_BITS + 1)
    bands = bands[: round(LONGEST / spectrogram.step)]
    for length in SMOOTHING:
        bands = moving_mean(bands, length)
    loudness = bands.sum(axis=1)
    rises = np.diff(np.diff(np.log(bands + 1e-30), axis=1), axis=0) > 0
    codes = np.packbits(rises, axis=1).view("<u2")[:, 0]
    codes[loudness[1:] <= SILENCE * loudness.max()] = 0
    return base64.b64encode(codes.tobytes()).decode() or None


def read_fingerprint(text: str) -> np.ndarray:
    """Return the bits by time, (num_frames,) uint16; 0 where there is silence."""
    return np.frombuffer(base64.b64decode(text), "<u2")

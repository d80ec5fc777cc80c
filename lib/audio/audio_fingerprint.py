"""What a recording keeps when it is encoded again: by this the same recording is recognised.

After Haitsma and Kalker, "A highly robust audio fingerprinting system" (ISMIR 2002): one bit for
each pair of neighbouring bands tells whether the difference of their levels rises or falls. Gain,
sample rate and codec change few of these bits; a second take of the same words shares half of
them, as any two recordings do.
"""

import base64

import numpy as np

from lib.audio.spectrum import Spectrogram, moving_mean

NUM_BITS = 16
LOWEST, HIGHEST = 200.0, 3400.0  # Hz: what the telephone leaves
# Frames: long windows that overlap nearly wholly, so that a delay of half a frame does no harm.
SMOOTHING = (8, 4)
# Frames 60 dB below the loudest tell nothing; they have no bits, where sound hardly ever has none.
SILENCE = 1e-6
LONGEST = 30.0  # s: enough to tell any two recordings apart


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

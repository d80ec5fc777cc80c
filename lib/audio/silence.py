"""The beginning and the end of speech in a clip, between which silence is not trimmed."""

import numpy as np

from lib.audio.spectrum import Spectrogram, moving_mean

# Frames so far above the background are speech. The threshold is also bounded by the level of
# speech: it is at least and at most so far below it.
ABOVE_BACKGROUND = 10.0  # dB
BELOW_SPEECH = 20.0, 45.0  # dB: at least, at most
# Number of frames in a row; a click is shorter.
SHORTEST_SOUND = 3


def find_speech(spectrogram: Spectrogram, margin: float) -> tuple[float, float]:
    """Return the seconds at which speech begins and ends; they may lie outside the clip.

    Parameters
    ----------
    margin
        Seconds to keep on either side, because quiet consonants are not found.
    """
    levels = 10 * np.log10(spectrogram.powers.sum(axis=1, dtype=np.float64) + 1e-30)
    background, speech = np.quantile(levels, (0.1, 0.95))
    least, most = BELOW_SPEECH
    threshold = min(max(background + ABOVE_BACKGROUND, speech - most), speech - least)
    lasting = moving_mean(levels > threshold, SHORTEST_SOUND) > 1 - 0.5 / SHORTEST_SOUND
    places = np.flatnonzero(lasting)
    if not places.size:
        return -np.inf, np.inf
    # The end is that of the last frame, which is twice as long as a step.
    last = places[-1] + SHORTEST_SOUND + 1
    return places[0] * spectrogram.step - margin, last * spectrogram.step + margin

"""Where speech begins and ends in a clip, for those who want silence cut off."""

import numpy as np

from lib.audio.spectrum import Spectrogram, moving_mean

# Speech is what stands this far above the background, unless that is near the speech itself;
# what is this far below the speech is never heard as part of it.
ABOVE_BACKGROUND = 10.0  # dB
BELOW_SPEECH = 20.0, 45.0  # dB: at least, at most
# Frames on end: a click is shorter.
SHORTEST_SOUND = 3


def find_speech(spectrogram: Spectrogram, margin: float) -> tuple[float, float]:
    """Return the seconds at which speech begins and ends; they may lie outside the clip.

    Parameters
    ----------
    margin
        Seconds to keep on either side: quiet consonants begin before what is found.
    """
    levels = 10 * np.log10(spectrogram.powers.sum(axis=1, dtype=np.float64) + 1e-30)
    background, speech = np.quantile(levels, (0.1, 0.95))
    least, most = BELOW_SPEECH
    threshold = min(max(background + ABOVE_BACKGROUND, speech - most), speech - least)
    lasting = moving_mean(levels > threshold, SHORTEST_SOUND) > 1 - 0.5 / SHORTEST_SOUND
    places = np.flatnonzero(lasting)
    if not places.size:
        return -np.inf, np.inf
    # The last frame, and that it is twice as long as a step.
    last = places[-1] + SHORTEST_SOUND + 1
    return places[0] * spectrogram.step - margin, last * spectrogram.step + margin

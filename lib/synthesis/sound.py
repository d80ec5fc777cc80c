"""How a voice speaks, whatever runs its model."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lib.config.outcome import SpeechSettings


@dataclass(frozen=True, slots=True)
class Sound:
    """Speed and noise of speech; None takes the voice's own."""

    speed: float = 1.0
    """Multiple of the voice's own speed."""
    noise: float | None = None
    """Standard deviation of the noise of the sound."""
    duration_noise: float | None = None
    """Standard deviation of the noise of the durations."""
    seed: int = 0

    @classmethod
    def from_settings(cls, settings: SpeechSettings) -> "Sound":
        """Return what a configuration says."""
        return cls(settings.speed, settings.noise, settings.duration_noise, settings.seed)


class SpeechModel(Protocol):
    """A model that turns token ids into a waveform."""

    sample_rate: int
    num_speakers: int
    is_thread_safe: bool
    """Whether several threads may call `generate` at a time."""

    def generate(self, ids: list[int], speaker: int, sound: Sound) -> np.ndarray:
        """Return the waveform of one sentence, ``(samples,)`` float32.

        Parameters
        ----------
        ids
            Token ids, blanks included.
        speaker
            Row of the speaker table.
        """

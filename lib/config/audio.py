"""Section `audio`: conversion."""

from dataclasses import dataclass
from typing import Annotated

from lib.config.keys import STRICT, bounds


@dataclass(frozen=True)
class AudioSettings:
    """Format and level of the converted clips, and which clips are refused.

    Each clip is decoded, mixed to mono, resampled, and gets one gain. There is no noise reduction
    and no limiter; silence is trimmed only if that is asked for.
    """

    __pydantic_config__ = STRICT

    sample_rate: Annotated[int, bounds(ge=8000, le=48000)] = 16000
    """Sample rate of the converted clips in Hz; that of the base, 16000 for every MMS-TTS voice."""
    loudness: Annotated[float, bounds(ge=-70, le=0)] = -23.0
    """Integrated loudness of the converted clips in LUFS (ITU-R BS.1770).

    -23 leaves room for peaks, so that few clips are bound by them.
    """
    peak_ceiling: Annotated[float, bounds(ge=-20, le=0)] = -1.0
    """Highest true peak in dBTP; a clip above it gets less gain and stays quieter."""
    silence_threshold: Annotated[float, bounds(ge=-100, le=0)] = -50.0
    """LUFS of the loudest 0.4 s below which a clip is silent and left out."""
    min_duration: Annotated[float, bounds(ge=0.1)] = 0.5
    """Shortest clip in seconds.

    VITS wants more than 0.5.
    """
    max_duration: Annotated[float, bounds(gt=0)] = 20.0
    """Longest clip in seconds.

    Long clips cost memory by their length.
    """
    trim_silence: bool = False
    """Whether the silence before and after the speech is cut off.

    Clips of a second of speech in ten of silence gain by it. From ordinary pauses at the ends a
    voice learns how to begin and to stop.
    """
    trim_margin: Annotated[float, bounds(ge=0)] = 0.2
    """Seconds of that silence that stay on either side."""

    def __post_init__(self) -> None:
        if self.min_duration >= self.max_duration:
            raise ValueError(
                f"audio.min_duration is {self.min_duration} s and audio.max_duration is "
                f"{self.max_duration} s, expected minimum < maximum"
            )
        if self.silence_threshold >= self.loudness:
            raise ValueError(
                f"audio.loudness is {self.loudness} LUFS and audio.silence_threshold is "
                f"{self.silence_threshold} LUFS, expected threshold < loudness"
            )

"""What the user can choose about conversion (section `audio` of the configuration)."""

from dataclasses import dataclass

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 48_000


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """Format and level of the converted clips, and which clips are refused."""

    sample_rate: int = 16_000  # Hz
    loudness: float = -23.0  # LUFS, integrated
    peak_ceiling: float = -1.0  # dBTP
    silence_threshold: float = -50.0  # LUFS of the loudest 0.4 s
    min_duration: float = 0.5  # s
    max_duration: float = 20.0  # s
    trim_silence: bool = False  # cut off what is before and after the speech
    trim_margin: float = 0.2  # s of it that stay on either side

    def __post_init__(self) -> None:
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise ValueError(
                f"audio.sample_rate is {self.sample_rate}, expected {MIN_SAMPLE_RATE} to "
                f"{MAX_SAMPLE_RATE} Hz: MMS-TTS voices use 16000"
            )
        if not 0 <= self.min_duration < self.max_duration:
            raise ValueError(
                f"audio.min_duration is {self.min_duration} s and audio.max_duration is "
                f"{self.max_duration} s, expected 0 <= minimum < maximum"
            )
        if self.trim_margin < 0:
            raise ValueError(f"audio.trim_margin is {self.trim_margin} s, expected 0 or more")
        if self.peak_ceiling > 0:
            raise ValueError(
                f"audio.peak_ceiling is {self.peak_ceiling} dBTP, expected 0 or less: "
                "samples above full scale cannot be stored"
            )
        if not self.silence_threshold < self.loudness <= 0:
            raise ValueError(
                f"audio.loudness is {self.loudness} LUFS and audio.silence_threshold is "
                f"{self.silence_threshold} LUFS, expected threshold < loudness <= 0"
            )

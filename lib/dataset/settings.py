"""What the dataset is made with (config section `dataset`)."""

from dataclasses import dataclass

MODES = ("reject", "flag", "off")


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Quality gates and split.

    A gate's mode is `reject` (the clip is left out), `flag` (it stays, and the manifest says so)
    or `off`.

    Attributes
    ----------
    validation_share
        Of each speaker's clips, for validation.
    max_rejected_share
        Of all rows of the source; with more rejected the run stops, for then it is not the clips
        that are wrong.
    duplicate_audio
        Gate: the same recording twice; the one that was there first stays.
    speech_rate
        Gate: far more or fewer characters a second than usual, a sign of a wrong transcript.
    speech_rate_factor
        How many times the speaker's usual rate is too far. Where rates vary much anyway the gate
        is wider by itself.
    uncertain_speaker
        Gate: a clip whose speaker is uncertain.
    min_confidence
        From which confidence a speaker is certain.
    """

    validation_share: float = 0.1
    max_rejected_share: float = 0.3
    duplicate_audio: str = "reject"
    speech_rate: str = "reject"
    speech_rate_factor: float = 3.0
    uncertain_speaker: str = "flag"
    min_confidence: float = 0.1

    def __post_init__(self) -> None:
        for name in ("duplicate_audio", "speech_rate", "uncertain_speaker"):
            if getattr(self, name) not in MODES:
                raise ValueError(
                    f"dataset.{name} is {getattr(self, name)!r}; expected one of {MODES}"
                )
        for name in ("validation_share", "max_rejected_share", "min_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"dataset.{name} is {getattr(self, name)}; expected 0 to 1")
        if self.speech_rate_factor <= 1:
            raise ValueError(
                f"dataset.speech_rate_factor is {self.speech_rate_factor}; expected above 1"
            )

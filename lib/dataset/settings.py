"""What the dataset is made with (config section `dataset`)."""

from dataclasses import dataclass

MODES = ("reject", "flag", "off")
GATES = (
    "too_much_text",
    "speech_rate",
    "unspoken_characters",
    "annotations",
    "clipped",
    "noisy",
    "mixed_voices",
    "uncertain_speaker",
    "duplicate_audio",
    "duplicate_text",
)


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Quality gates and split.

    A gate's mode is `reject` (the clip is left out), `flag` (it stays, and the manifest says so)
    or `off`. By default a clip is left out only where it cannot be right, or is there already.

    Attributes
    ----------
    validation_share
        Of each speaker's clips, for validation.
    max_rejected_share
        Of all rows of the source; with more rejected the run stops, for then it is not the clips
        that are wrong.
    too_much_text
        Gate: more text than any alignment fits into the clip.
    speech_rate
        Gate: far more or fewer characters a second than usual, a sign of a wrong transcript.
    speech_rate_factor
        How many times the speaker's usual rate is too far. Where rates vary much anyway the gate
        is wider by itself.
    unspoken_characters
        Gate: digits and symbols in the text, of which nobody said how they are read.
    annotations
        Gate: parts of the text that are probably not spoken, as `[laughter]`.
    clipped
        Gate: a recording whose tops were cut off.
    max_clipped_share
        Of the recording's samples.
    noisy
        Gate: a recording with a loud background.
    min_snr
        Signal-to-noise ratio in dB.
    mixed_voices
        Gate: a clip that begins with one voice and ends with another.
    min_agreement
        Cosine of the voices of its two parts.
    uncertain_speaker
        Gate: a clip whose speaker is uncertain.
    min_confidence
        From which confidence a speaker is certain.
    duplicate_audio
        Gate: the same recording twice, also encoded otherwise; the one that was there first stays.
    duplicate_text
        Gate: the same text by the same speaker once more.
    max_text_repeats
        How often a speaker may say a text.
    """

    validation_share: float = 0.1
    max_rejected_share: float = 0.3
    too_much_text: str = "reject"
    speech_rate: str = "reject"
    speech_rate_factor: float = 3.0
    unspoken_characters: str = "flag"
    annotations: str = "flag"
    clipped: str = "flag"
    max_clipped_share: float = 0.001
    noisy: str = "flag"
    min_snr: float = 15.0
    mixed_voices: str = "flag"
    min_agreement: float = 0.7
    uncertain_speaker: str = "flag"
    min_confidence: float = 0.1
    duplicate_audio: str = "reject"
    duplicate_text: str = "flag"
    max_text_repeats: int = 5

    def __post_init__(self) -> None:
        for name in GATES:
            if getattr(self, name) not in MODES:
                raise ValueError(
                    f"dataset.{name} is {getattr(self, name)!r}; expected one of {MODES}"
                )
        shares = ("validation_share", "max_rejected_share", "max_clipped_share")
        for name in (*shares, "min_agreement", "min_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"dataset.{name} is {getattr(self, name)}; expected 0 to 1")
        if self.speech_rate_factor <= 1:
            raise ValueError(
                f"dataset.speech_rate_factor is {self.speech_rate_factor}; expected above 1"
            )
        if self.max_text_repeats < 1:
            raise ValueError(
                f"dataset.max_text_repeats is {self.max_text_repeats}; expected 1 or more"
            )

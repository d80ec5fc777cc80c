"""Sections `export`, `evaluation` and `samples`: what is made of a training."""

from dataclasses import dataclass
from typing import Annotated, Literal

from lib.config.keys import STRICT, Text, bounds


@dataclass(frozen=True)
class ExportSettings:
    """What becomes the voice."""

    __pydantic_config__ = STRICT

    checkpoint: Literal["best", "last"] = "best"
    """Which weights become results/model: best, those of the lowest validation score, or last.

    The score is the loss on held-out clips (mel, KL and duration by their weights), nine tenths of
    it the mel loss: how near the sound is, not how clear the speech. Listen to milestones as well.
    """


@dataclass(frozen=True)
class EvaluationSettings:
    """What is measured of the voice."""

    __pydantic_config__ = STRICT

    clips: Annotated[int, bounds(ge=0)] = 5
    """Sentences of the validation split that every speaker says, to compare with the recordings.

    Similarity of the speakers, distortion and length are measured. 0 compares nothing.
    """
    recogniser: Literal["english"] | None = None
    """Language of a recogniser that listens and chooses among 20 sentences; null listens to none.

    English is the only language that the one used here knows.
    """


@dataclass(frozen=True)
class SampleSettings:
    """What the voice says for you to hear."""

    __pydantic_config__ = STRICT

    texts: tuple[Text, ...] = ()
    """Sentences that every speaker says; none takes some of the validation split."""
    count: Annotated[int, bounds(ge=1)] = 3
    """How many sentences, where they come from the validation split."""

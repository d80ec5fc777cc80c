"""Section `speakers`: who is who."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from lib.config.keys import EXPERT, STRICT, Text, bounds


@dataclass(frozen=True)
class SpeakerSettings:
    """How speakers are told apart."""

    __pydantic_config__ = STRICT

    count: Literal["auto"] | Annotated[int, bounds(ge=1)] = "auto"
    """Number of speakers; auto finds it."""
    min_clips: Annotated[int, bounds(ge=1)] = 3
    """Fewest clips that make a speaker; smaller clusters join the nearest speaker."""
    similarity_threshold: Annotated[float, bounds(gt=0, le=1)] = 0.90
    """Similarity (cosine) from which two clusters of clips are one speaker.

    Higher splits more. Ward's best split of one speaker gave 0.902 and more in 95% of cases,
    pairs of speakers 0.88 and less in 99%.
    """
    min_speech: Annotated[float, bounds(ge=0)] = 1.6
    """Seconds of speech from which a clip takes part in the clustering.

    Shorter clips are assigned to the nearest speaker afterwards. The window of the speaker encoder
    is 1.6 s.
    """
    shards: Annotated[int, bounds(ge=1, le=999), EXPERT] = 8
    """Files that the speaker embeddings are kept in; adding clips recomputes only what is new."""
    overrides: Text | None = "config/speakers.yaml"
    """File with your corrections of the speakers, read where there is one; null reads none.

    Names, merges, clips to move, to split off and to leave out. README.md, "Correcting speakers",
    has its lines.
    """

    def describe_clustering(self) -> dict[str, Any]:
        """Return the values that decide the clusters."""
        keys = ("count", "min_clips", "similarity_threshold", "min_speech")
        return {key: getattr(self, key) for key in keys}

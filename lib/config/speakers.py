"""Section `speakers`: who is who."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from lib.config.keys import EXPERT, STRICT, Text, bounds


@dataclass(frozen=True)
class SpeakerSettings:
    """How speakers are told apart."""

    __pydantic_config__ = STRICT

    encoder: Literal["resemblyzer", "campplus"] = "resemblyzer"
    """Speaker encoder by which all clips are clustered.

    Every clip has an embedding of resemblyzer in either case. campplus adds one of CAM++, which is
    the surer one and takes about six times as long on a CPU; speakers.second_opinion is then of no
    use.
    """
    second_opinion: Literal["campplus"] | None = "campplus"
    """Encoder that decides which of the clusters that resemblyzer proposes are one person.

    It hears some clips of each. null leaves it to resemblyzer alone, which takes one person on
    another day or microphone for another person.
    """
    count: Literal["auto"] | Annotated[int, bounds(ge=1)] = "auto"
    """Number of speakers; auto finds it."""
    min_clips: Annotated[int, bounds(ge=1)] = 3
    """Fewest clips that make a speaker; smaller clusters join the nearest speaker."""
    similarity_threshold: Annotated[float, bounds(gt=0, le=1)] = 0.90
    """Similarity (cosine) from which two clusters are one speaker, where resemblyzer alone decides.

    Higher splits more. Ward's best split of one speaker gave 0.902 and more in 95% of cases,
    pairs of speakers 0.88 and less in 99%.
    """
    campplus_threshold: Annotated[float, bounds(gt=0, le=1)] = 0.78
    """Similarity (cosine) from which two clusters are one speaker, where CAM++ decides.

    Higher splits more. Sessions of one person have 0.79 and more; of 190 pairs of people the most
    similar had 0.74.
    """
    min_speech: Annotated[float, bounds(ge=0)] = 1.6
    """Seconds of speech from which a clip takes part in the clustering.

    Shorter clips are assigned to the nearest speaker afterwards. The window of resemblyzer is
    1.6 s. CAM++ has no window, and has clips take part from 1 s on.
    """
    shards: Annotated[int, bounds(ge=1, le=999), EXPERT] = 8
    """Files that the speaker embeddings are kept in; adding clips recomputes only what is new."""
    overrides: Text | None = "config/speakers.yaml"
    """File with your corrections of the speakers, read where there is one; null reads none.

    Names, merges, clips to move, to split off and to leave out. README.md, "Correcting speakers",
    has its lines.
    """

    @property
    def threshold(self) -> float:
        """The similarity threshold of `encoder`."""
        by_encoder = {"resemblyzer": self.similarity_threshold, "campplus": self.campplus_threshold}
        return by_encoder[self.encoder]

    @property
    def least_speech(self) -> float:
        """Seconds of speech from which `encoder` has a clip take part in the clustering."""
        return self.min_speech if self.encoder == "resemblyzer" else min(1.0, self.min_speech)

    def describe_clustering(self) -> dict[str, Any]:
        """Return the values that decide the clusters."""
        keys = ("encoder", "second_opinion", "count", "min_clips", "min_speech")
        keys += ("similarity_threshold", "campplus_threshold")
        return {key: getattr(self, key) for key in keys}

"""The record of a fitted base model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from lib.base_model.discriminator import DISCRIMINATOR_FILE, read_discriminator
from lib.base_model.hub import BaseModelError
from lib.files import read_json, write_json
from lib.vits.discriminator import (
    Discriminator,
    DiscriminatorSettings,
    discriminator_width,
    initialise_discriminator,
)

SPEAKERS_FILE = "speakers.json"
"""File with the speakers of a model: ``{speaker id: {"index", "name"}}``."""


@dataclass(frozen=True)
class BaseModel:
    """A fitted base model and its record, ``base.json``."""

    directory: Path
    source: str
    origin: str
    """Digest of the fetched weights, before they were fitted to the dataset."""
    speakers: dict[str, int]
    """Row in the speaker table by speaker id; those of the dataset come first."""
    names: dict[str, str]
    """Name by speaker id, for the speakers of the base."""
    discriminator_origin: str
    fresh_discriminator: bool
    num_kept: int = 0
    """Number of speakers that are only in the base; they are not trained."""
    discriminator_digest: str | None = None
    """Digest of the discriminator's weights; None for a fresh one."""
    letters: dict[str, list[str]] = field(default_factory=dict)
    """Each new letter with the known ones that it starts from."""
    speaker_starts: dict[str, str] = field(default_factory=dict)
    """What each speaker of the dataset starts from: a row of the base or its embedding."""

    FROM_EMBEDDING: ClassVar[str] = "speaker embedding"
    """Beginning of an entry of `speaker_starts` for a speaker's own embedding."""

    @classmethod
    def open(cls, directory: Path) -> "BaseModel":
        """Read ``base.json``; what only an earlier version wrote down is passed over."""
        known = {field.name for field in fields(cls)}
        values = read_json(directory / "base.json").items()
        return cls(directory=directory, **{key: value for key, value in values if key in known})

    def save(self) -> None:
        """Write ``base.json``."""
        values = {k: v for k, v in asdict(self).items() if k != "directory"}
        write_json(self.directory / "base.json", values)

    def learnt_speakers(self) -> dict[str, int]:
        """Return the rows of the dataset's speakers."""
        return dict(list(self.speakers.items())[: len(self.speakers) - self.num_kept])

    def speaker_map(self, names: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
        """Return ``{speaker id: {"index", "name"}}``, the content of `SPEAKERS_FILE`.

        Parameters
        ----------
        names
            The user's names, which have precedence over those of the base.
        """
        names = {**self.names, **(names or {})}
        return {
            speaker: {"index": row, "name": names.get(speaker, speaker)}
            for speaker, row in self.speakers.items()
        }

    def load_discriminator(self, periods: Sequence[int], channels: int, seed: int) -> Discriminator:
        """Load the base's discriminator, or make a fresh one.

        Parameters
        ----------
        periods
            Periods of a fresh one, and of the base's if its file does not have them.
        channels, seed
            Width and seed of a fresh one. The width of the base's follows from its weights.

        Raises
        ------
        BaseModelError
            If the base's discriminator does not have these periods.
        """
        if self.fresh_discriminator:
            return initialise_discriminator(DiscriminatorSettings(tuple(periods), channels), seed)
        state, told = read_discriminator(self.directory / DISCRIMINATOR_FILE)
        periods = told or tuple(periods)
        discriminator = Discriminator(DiscriminatorSettings(periods, discriminator_width(state)))
        try:
            discriminator.load_state_dict(state)
        except RuntimeError as error:
            raise BaseModelError(
                f"the base's discriminator ({self.discriminator_origin}) does not have "
                f"training.discriminator_periods: {list(periods)}: "
                f"{str(error).splitlines()[-1].strip()}"
            ) from None
        return discriminator


def read_speakers(found: Path) -> dict[str, dict[str, Any]]:
    """Return the speakers of a model that this project fitted or exported; none of others."""
    if (found / "base.json").is_file():
        return BaseModel.open(found).speaker_map()
    path = found / SPEAKERS_FILE
    return read_json(path) if path.is_file() else {}

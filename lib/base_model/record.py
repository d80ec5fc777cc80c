"""A fitted base model and what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
"""Of a model: ``{speaker id: {"index", "name"}}``."""


@dataclass(frozen=True)
class BaseModel:
    """A prepared base model and what is known of it."""

    directory: Path
    source: str
    origin: str
    """Digest of the weights as they were found, before they were fitted to the dataset."""
    speakers: dict[str, int]
    """Row in the speaker table by speaker id; those of the dataset come first."""
    names: dict[str, str]
    """Name by speaker id, of those whom the base itself knows."""
    discriminator_origin: str
    fresh_discriminator: bool
    num_kept: int = 0
    """How many of the speakers only the base knows; nothing is learnt about them."""
    discriminator_digest: str | None = None
    """Of the discriminator's weights; None of a fresh one."""
    letters: dict[str, list[str]] = field(default_factory=dict)
    """Each new letter with the known ones that it starts from."""
    speaker_starts: dict[str, str] = field(default_factory=dict)
    """What each speaker of the dataset starts from."""

    FROM_EMBEDDING: ClassVar[str] = "speaker embedding"
    """How `speaker_starts` says that it is the speaker's own embedding."""

    @classmethod
    def open(cls, directory: Path) -> "BaseModel":
        """Read ``base.json``."""
        return cls(directory=directory, **read_json(directory / "base.json"))

    def save(self) -> None:
        """Write ``base.json``."""
        values = {k: v for k, v in asdict(self).items() if k != "directory"}
        write_json(self.directory / "base.json", values)

    def learnt_speakers(self) -> dict[str, int]:
        """Return the rows of the dataset's speakers."""
        return dict(list(self.speakers.items())[: len(self.speakers) - self.num_kept])

    def speaker_map(self, names: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
        """Return ``{speaker id: {"index", "name"}}``, as a trained model carries it.

        Parameters
        ----------
        names
            The user's names, which go before those of the base.
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
            Of a fresh one, and of the base's where its file does not tell.
        channels, seed
            Of a fresh one; the base's has the width that its weights tell.
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
    """Return the speakers of a model that this project prepared or exported, else nothing."""
    if (found / "base.json").is_file():
        return BaseModel.open(found).speaker_map()
    path = found / SPEAKERS_FILE
    return read_json(path) if path.is_file() else {}

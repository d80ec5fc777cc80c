"""Paths of a training, which networks learn when, and which settings may change on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.config.renamed import RENAMED
from lib.config.training import TrainingSettings

NETWORKS = ("generator", "discriminator")


@dataclass(frozen=True)
class TrainingPaths:
    """Folders and files that a training reads and writes."""

    dataset: Path
    base_model: Path
    checkpoints: Path
    tensorboard: Path
    summary: Path
    weights: Path
    """Folder of what a voice can be made of, written at the end: see `keep_weights`."""
    curves: Path
    """Folder of the event files of the curves, written at the end."""

    @classmethod
    def within(cls, folder: Path, dataset: Path, base_model: Path) -> "TrainingPaths":
        """Return the paths of a training that writes into a folder."""
        return cls(
            dataset=dataset,
            base_model=base_model,
            checkpoints=folder / "checkpoints",
            tensorboard=folder / "tensorboard",
            summary=folder / "training.json",
            weights=folder / "weights",
            curves=folder / "curves",
        )


@dataclass(frozen=True)
class LearningPhases:
    """Steps in which the generator learns alone, then those in which the discriminator does."""

    generator_alone: int
    """First step after the generator's phase."""
    discriminator_alone: int
    """First step after the discriminator's phase; from here on both learn."""

    @classmethod
    def choose(
        cls, settings: TrainingSettings, fresh_discriminator: bool, continued: bool
    ) -> "LearningPhases":
        """Return the phases of a training.

        Parameters
        ----------
        fresh_discriminator
            Whether the discriminator starts from random weights; only then it learns alone.
        continued
            Whether the training started warm from an earlier one; then both learn at once.
        """
        if continued:
            return cls(0, 0)
        start = settings.discriminator_start_step
        warmup = settings.discriminator_warmup_steps if fresh_discriminator else 0
        return cls(start, start + warmup)

    def networks(self, step: int) -> tuple[str, ...]:
        """Return the names of the networks that learn in a step."""
        if step < self.generator_alone:
            return ("generator",)
        return ("discriminator",) if step < self.discriminator_alone else NETWORKS


# Names of settings in checkpoints of earlier versions, and their present names.
EARLIER_KEYS = {
    old.removeprefix("training."): new.removeprefix("training.")
    for old, new in RENAMED.items()
    if new.startswith("training.")
}

# These settings do not change what a step learns. A training resumes with their new values. After
# a change of any other setting it starts anew.
RESUMABLE = frozenset(
    {
        "epochs",
        "early_stopping_epochs",
        "mixed_precision",
        "memory_gb",
        "log_every",
        "validate_every",
        "max_validation_clips",
        "samples_every",
        "checkpoint_every",
        "keep_checkpoints",
        "save_minutes",
        "keep_at",
        "resume",
        "on_new_data",
        "continue_epochs",
        "max_skipped_steps",
    }
)


def changed_keys(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the keys whose values differ, as ``{key: (earlier, now)}``."""
    keys = sorted(set(earlier) | set(now))
    return {k: (earlier.get(k), now.get(k)) for k in keys if earlier.get(k) != now.get(k)}

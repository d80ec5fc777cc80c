"""Where a training reads and writes, and which of its settings may change on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.config.renamed import RENAMED


@dataclass(frozen=True)
class TrainingPaths:
    """Where a training reads and writes."""

    dataset: Path
    base_model: Path
    checkpoints: Path
    tensorboard: Path
    summary: Path


# As checkpoints of earlier versions call them.
EARLIER_KEYS = {
    old.removeprefix("training."): new.removeprefix("training.")
    for old, new in RENAMED.items()
    if new.startswith("training.")
}

# Changing one of these alters how a training runs, not what a step learns: it goes on with the
# new value. Any other change asks for a new start.
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
        "resume",
        "on_new_data",
        "continue_epochs",
        "max_skipped_steps",
    }
)


def changed_keys(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, as ``{key: (earlier, now)}``."""
    keys = sorted(set(earlier) | set(now))
    return {k: (earlier.get(k), now.get(k)) for k in keys if earlier.get(k) != now.get(k)}

"""Decides whether a training goes on, starts warm or starts afresh."""

import enum
import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from lib.training.base_model import BaseModel
from lib.training.checkpoint import Checkpoint
from lib.training.data import TrainingClip
from lib.training.settings import RESUMABLE, TrainingSettings, changed_keys

logger = logging.getLogger(__name__)


class Resumption(enum.Enum):
    """Where a training starts from."""

    FRESH = "fresh"
    RESUME = "resume"
    WARM_START = "warm start"


def describe_recipe(
    settings: TrainingSettings,
    base: BaseModel,
    vocabulary: Mapping[str, int],
    clips: Iterable[TrainingClip],
) -> dict[str, Any]:
    """Everything that decides what a training learns, as a checkpoint stores it."""
    return {
        "settings": settings.as_dict(),
        "base_model": base.origin,
        "dataset": _digest(clips),
        "speakers": dict(base.speakers),
        "vocabulary": dict(vocabulary),
        "continued": False,
    }


def decide_resumption(
    found: Checkpoint | None, recipe: Mapping[str, Any], settings: TrainingSettings
) -> Resumption:
    """Compare a checkpoint's recipe with the one at hand; say what differs and what follows."""
    if found is None:
        return Resumption.FRESH
    earlier = found.recipe
    if earlier["base_model"] != recipe["base_model"]:
        logger.warning("The base model has changed: starting afresh")
        return Resumption.FRESH
    changed = changed_keys(earlier["settings"], recipe["settings"])
    for key, (before, now) in changed.items():
        allowed = "allows going on" if key in RESUMABLE else "asks for a new start"
        logger.warning("training.%s changed from %s to %s: %s", key, before, now, allowed)
    new_data = [k for k in ("dataset", "speakers", "vocabulary") if earlier[k] != recipe[k]]
    if set(changed) - RESUMABLE:
        return Resumption.FRESH
    if not new_data:
        return Resumption.RESUME
    goes_on = settings.on_new_data == "continue"
    logger.warning(
        "The data has changed (%s) and training.on_new_data is '%s': %s",
        ", ".join(new_data),
        settings.on_new_data,
        f"the earlier weights are trained for {settings.continue_epochs} more epochs"
        if goes_on
        else "starting from the base model again",
    )
    return Resumption.WARM_START if goes_on else Resumption.FRESH


def _digest(clips: Iterable[TrainingClip]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for clip in clips:
        digest.update(f"{clip.id}\0{clip.text}\0{clip.speaker}\0{len(clip.audio)}\0".encode())
        digest.update(clip.audio.tobytes())
    return digest.hexdigest()

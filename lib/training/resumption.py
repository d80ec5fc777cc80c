"""Decides whether a training goes on, starts warm or starts afresh."""

import enum
import hashlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from lib.training.base_model import BaseModel
from lib.training.checkpoint import (
    Checkpoint,
    DamagedCheckpointError,
    Progress,
    load_checkpoint,
)
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
        "discriminator": base.discriminator_digest or base.discriminator_origin,
        "letters": base.letters,
        "speaker_starts": base.speaker_starts,
        "dataset": _digest(clips),
        "speakers": dict(base.speakers),
        "vocabulary": dict(vocabulary),
        "continued": False,
        "code": [],
    }


def decide_resumption(
    found: Checkpoint | None, recipe: Mapping[str, Any], settings: TrainingSettings
) -> Resumption:
    """Compare a checkpoint's recipe with the one at hand; say what differs and what follows."""
    if found is None:
        return Resumption.FRESH
    # Of what an earlier version did not write down nothing can be said.
    earlier = {**recipe, **found.recipe}
    fresh = False
    for key, what in (
        ("base_model", "The base model has"),
        ("discriminator", "The discriminator that it starts with has"),
    ):
        if earlier[key] != recipe[key]:
            logger.warning("%s changed: starting afresh", what)
            fresh = True
    changed = changed_keys(earlier["settings"], recipe["settings"])
    for key, (before, now) in changed.items():
        allowed = "allows going on" if key in RESUMABLE else "asks for a new start"
        logger.warning("training.%s changed from %s to %s: %s", key, before, now, allowed)
    if fresh or set(changed) - RESUMABLE:
        return Resumption.FRESH
    new_data = [k for k in ("dataset", "speakers", "vocabulary") if earlier[k] != recipe[k]]
    if not new_data:
        return _compare_starts(earlier, recipe)
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


def _compare_starts(earlier: Mapping[str, Any], recipe: Mapping[str, Any]) -> Resumption:
    """Compare what letters and speakers started from, with the same data.

    A choice that has changed asks for a new start. Speaker embeddings also change by themselves,
    a little, with every clip that comes in and is left out of the dataset: that is said.
    """
    letters = changed_keys(earlier["letters"], recipe["letters"])
    for letter, (before, now) in letters.items():
        logger.warning(
            "The new letter %s starts from %s instead of %s: starting afresh", letter, now, before
        )
    speakers = changed_keys(earlier["speaker_starts"], recipe["speaker_starts"])
    by_choice = {s: pair for s, pair in speakers.items() if not _are_embeddings(pair)}
    for speaker, (before, now) in by_choice.items():
        logger.warning("%s starts from %s instead of %s: starting afresh", speaker, now, before)
    if letters or by_choice:
        return Resumption.FRESH
    if speakers:
        logger.warning(
            "The embeddings that speakers started from have changed since (%s): the training goes "
            "on from what it has learnt; training.resume: false starts anew",
            ", ".join(speakers),
        )
    return Resumption.RESUME


def _are_embeddings(starts: tuple[Any, ...]) -> bool:
    return all(str(start).startswith(BaseModel.FROM_EMBEDDING) for start in starts)


def note_code(recipe: dict[str, Any], code: str | None, progress: Progress, is_over: bool) -> None:
    """Write down which code trains from a step on, or say that none did.

    Parameters
    ----------
    code
        Digest of the code at hand; None where nobody asks.
    is_over
        Whether nothing is left to train.
    """
    trained_by = recipe["code"]
    if code is None or (trained_by and trained_by[-1]["code"] == code):
        return
    if is_over and trained_by:
        logger.warning(
            "The code of the training has changed (from %s to %s), and this training is finished: "
            "nothing is trained, the weights are those of the earlier code. "
            "training.resume: false trains anew",
            trained_by[-1]["code"],
            code,
        )
        return
    recipe["code"] = [*trained_by, {"code": code, "from_step": progress.step}]


def settle_best(progress: Progress, path: Path, comparable: str) -> Checkpoint | None:
    """Settle which epoch is the best so far, when a training goes on.

    Parameters
    ----------
    path
        Where the best weights are.
    comparable
        What scores are comparable with now, see `digest_validation`.

    Returns
    -------
    Checkpoint or None
        The best weights, if their score must be measured anew before others are compared with it.
    """
    try:
        best = load_checkpoint(path, voice_only=True)
    except DamagedCheckpointError as error:
        # Killed before it was saved, the state at hand is the best, and is saved by going on.
        if progress.best_epoch != progress.epoch or progress.window:
            logger.warning("The best weights so far are lost; the next ones count: %s", error)
            progress.best_score = progress.best_epoch = progress.best_losses = None
        return None
    # A run that was killed may have saved a better one after this state.
    for name in ("best_score", "best_epoch", "best_losses"):
        setattr(progress, name, getattr(best.progress, name))
    return best if best.progress.validated_on != comparable else None


def digest_validation(clips: Iterable[TrainingClip], accelerator: Accelerator) -> str:
    """Digest what a validation score depends on, beside the weights and the recipe."""
    return f"{_digest(clips)} {accelerator.mixed_precision}"


def _digest(clips: Iterable[TrainingClip]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for clip in clips:
        digest.update(f"{clip.id}\0{clip.text}\0{clip.speaker}\0{len(clip.audio)}\0".encode())
        digest.update(clip.audio.tobytes())
    return digest.hexdigest()

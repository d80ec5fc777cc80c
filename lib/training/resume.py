"""The decision whether a training resumes, starts warm or starts afresh."""

import enum
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lib.base_model.record import BaseModel
from lib.base_model.weights import DamagedCheckpointError
from lib.config.training import TrainingSettings
from lib.keeping.keeper import CheckpointKeeper
from lib.training.checkpoint import Checkpoint, TrainState, find_surplus, load_checkpoint
from lib.training.settings import EARLIER_KEYS, RESUMABLE, changed_keys
from lib.vits.clips import TrainingClip, digest_clips

logger = logging.getLogger(__name__)


class Start(enum.Enum):
    """Start of a training: from the base model, or from a checkpoint in one of two ways."""

    FRESH = "fresh"
    RESUME = "resume"
    WARM_START = "warm start"


def make_signature(
    settings: TrainingSettings,
    base: BaseModel,
    vocabulary: Mapping[str, int],
    clips: Iterable[TrainingClip],
) -> dict[str, Any]:
    """Return everything that determines what a training learns, as a checkpoint stores it."""
    return {
        "settings": settings.as_dict(),
        "base_model": base.origin,
        "discriminator": base.discriminator_digest or base.discriminator_origin,
        "letters": base.letters,
        "speaker_starts": base.speaker_starts,
        "dataset": digest_clips(clips),
        "speakers": dict(base.speakers),
        "vocabulary": dict(vocabulary),
        "continued": False,
        "code": [],
    }


def name_training(signature: Mapping[str, Any]) -> str:
    """Return a name that two trainings share if one may go on from the other's checkpoints."""
    settings = {k: v for k, v in signature["settings"].items() if k not in RESUMABLE}
    data = ("base_model", "discriminator", "dataset", "speakers", "vocabulary")
    told = [settings, *(signature[part] for part in data)]
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=6)
    return f"training-{digest.hexdigest()}"


def make_keeper(
    settings: TrainingSettings, signature: Mapping[str, Any], is_main: bool
) -> CheckpointKeeper:
    """Return what keeps copies of the checkpoints; only the main process keeps any."""
    return CheckpointKeeper(
        settings.keep_at if is_main else None,
        name_training(signature),
        partial(find_surplus, keep=settings.keep_checkpoints),
    )


def decide_start(
    found: Checkpoint | None, signature: Mapping[str, Any], settings: TrainingSettings
) -> Start:
    """Compare a checkpoint's signature with the present one, and log the differences."""
    if found is None:
        return Start.FRESH
    # What an earlier version did not store is taken as unchanged.
    earlier = {**signature, **found.signature}
    # The default of a setting that did not exist is what was done without it.
    earlier["settings"] = TrainingSettings().as_dict() | {
        EARLIER_KEYS.get(k, k): v for k, v in earlier["settings"].items()
    }
    earlier["speaker_starts"] = {
        speaker: start.replace("voice ", "speaker ", 1) if start.startswith("voice ") else start
        for speaker, start in earlier["speaker_starts"].items()
    }
    fresh = False
    for key, what in (
        ("base_model", "The base model has"),
        ("discriminator", "The discriminator that it starts with has"),
    ):
        if earlier[key] != signature[key]:
            logger.warning("%s changed: starting afresh", what)
            fresh = True
    changed = changed_keys(earlier["settings"], signature["settings"])
    for key, (before, now) in changed.items():
        allowed = "allows going on" if key in RESUMABLE else "asks for a new start"
        logger.warning("training.%s changed from %s to %s: %s", key, before, now, allowed)
    if fresh or set(changed) - RESUMABLE:
        return Start.FRESH
    new_data = [k for k in ("dataset", "speakers", "vocabulary") if earlier[k] != signature[k]]
    if not new_data:
        return _compare_starts(earlier, signature)
    goes_on = settings.on_new_data == "continue"
    logger.warning(
        "The data has changed (%s) and training.on_new_data is '%s': %s",
        ", ".join(new_data),
        settings.on_new_data,
        f"the earlier weights are trained for {settings.continue_epochs} more epochs"
        if goes_on
        else "starting from the base model again",
    )
    return Start.WARM_START if goes_on else Start.FRESH


def _compare_starts(earlier: Mapping[str, Any], signature: Mapping[str, Any]) -> Start:
    """Compare what letters and speakers started from, if the data is the same.

    After a changed choice the training starts afresh. Speaker embeddings also change a little with
    every new clip that is left out of the dataset; that is only logged.
    """
    letters = changed_keys(earlier["letters"], signature["letters"])
    for letter, (before, now) in letters.items():
        logger.warning(
            "The new letter %s starts from %s instead of %s: starting afresh", letter, now, before
        )
    speakers = changed_keys(earlier["speaker_starts"], signature["speaker_starts"])
    by_choice = {s: pair for s, pair in speakers.items() if not _are_embeddings(pair)}
    for speaker, (before, now) in by_choice.items():
        logger.warning("%s starts from %s instead of %s: starting afresh", speaker, now, before)
    if letters or by_choice:
        return Start.FRESH
    if speakers:
        logger.warning(
            "The embeddings that speakers started from have changed since (%s): the training goes "
            "on from what it has learnt; training.resume: false starts anew",
            ", ".join(speakers),
        )
    return Start.RESUME


def _are_embeddings(starts: tuple[Any, ...]) -> bool:
    return all(str(start).startswith(BaseModel.FROM_EMBEDDING) for start in starts)


def note_code(
    signature: dict[str, Any], code: str | None, state: TrainState, is_over: bool
) -> None:
    """Add the present code and the current step to the signature, if it trains from here on.

    Parameters
    ----------
    code
        Digest of the present code; None adds nothing.
    is_over
        Whether no epoch is left to train; then other code is only logged.
    """
    trained_by = signature["code"]
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
    signature["code"] = [*trained_by, {"code": code, "from_step": state.step}]


def note_surplus_epochs(epochs: int, done: int, checkpoints: Path) -> None:
    """Log that more epochs are done than are asked for now."""
    logger.warning(
        "training.epochs is %d, and epoch %d is done already: nothing more is trained. "
        "Any milestone below %s becomes a voice by python -m lib.base_model export",
        epochs,
        done,
        checkpoints,
    )


def settle_best(state: TrainState, path: Path, comparable: str) -> Checkpoint | None:
    """Settle which epoch is the best so far, when a training resumes.

    Parameters
    ----------
    path
        Folder of the best weights.
    comparable
        Present conditions of a score, see `Validator.comparable`.

    Returns
    -------
    Checkpoint or None
        The best weights, if their score must be measured anew before others are compared with it.
    """
    try:
        best = load_checkpoint(path, average_only=True)
    except DamagedCheckpointError as error:
        # If the run was killed before the best was saved, the present state is the best, and it is
        # saved when the training resumes.
        if state.best_epoch != state.epoch or state.batch:
            logger.warning("The best weights so far are lost; the next ones count: %s", error)
            state.best_score = state.best_epoch = state.best_losses = None
        return None
    # A killed run may have saved a better epoch after this state.
    for name in ("best_score", "best_epoch", "best_losses"):
        setattr(state, name, getattr(best.state, name))
    return best if best.state.validated_on != comparable else None

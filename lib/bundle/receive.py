"""Takes a training that came back as the run's own."""

import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers import VitsTokenizer

from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.bundle.box import SUMS, TRAINED, BundleError, check_sums
from lib.config.training import TrainingSettings
from lib.files import atomic_directory, atomic_path, read_json
from lib.locking import take_lock
from lib.training.checkpoint import keep_weights, newest_checkpoint, replace_checkpoints
from lib.training.logging import archive_curves, keep_curves
from lib.training.resume import Start, decide_start, make_signature
from lib.training.settings import TrainingPaths

logger = logging.getLogger(__name__)

_SUMMARY = "training.json"
_GO_ON = (
    "To take its checkpoints all the same, for the next run to go on from as far as it can: "
    "make receive GO_ON=yes, or --go-on"
)


def receive_training(
    returned: Path, results: Path, config: Mapping[str, Any], go_on: bool = False
) -> None:
    """Put a training that came back where the workflow expects its own.

    Checkpoints and curves that were there are moved aside, as by a training that starts anew.

    Parameters
    ----------
    returned
        The bundle with its folder ``trained``, or that folder.
    go_on
        Whether to take the checkpoints alone, of a training that is not finished or that was of
        other data; the next run goes on from them.

    Raises
    ------
    BundleError
        If it is not whole, not finished, or of other data or settings than the present ones; then
        nothing has changed.
    LockedError
        If a training is running here.
    """
    trained = returned / TRAINED if (returned / TRAINED).is_dir() else returned
    if not (trained / "checkpoints").is_dir():
        raise BundleError(f"{trained} has no checkpoints: expected a bundle that was trained")
    if not go_on:
        _check_finished(trained)
    with take_lock(results / "state/training.lock", "training"):
        if not go_on:
            _check_present(trained, results, TrainingSettings.from_config(config["training"]))
        _place(trained, results)
        target = results / _SUMMARY
        if go_on:
            # The workflow trains again only where there is none.
            with suppress(FileNotFoundError):
                os.replace(target, target.with_suffix(".json.old"))
            logger.info("%s: the next run goes on from these checkpoints", results / "checkpoints")
            return
        _keep_outcome(trained / _SUMMARY, results)
        with atomic_path(target) as temporary:
            shutil.copyfile(trained / _SUMMARY, temporary)
    logger.info("%s: the training is taken", target)


def _check_finished(trained: Path) -> None:
    """Refuse a training that has not ended, or of which a part is missing."""
    if not (trained / SUMS).is_file() or not (trained / _SUMMARY).is_file():
        raise BundleError(
            f"{trained}: the training is not finished, or not all of it was copied. On the other "
            f"machine the same command goes on; copy again when it has ended. {_GO_ON}"
        )
    check_sums(trained)


def _check_present(trained: Path, results: Path, settings: TrainingSettings) -> None:
    """Refuse a training that is not what the workflow would train now."""
    base = BaseModel.open(results / "base_model")
    tokenizer = VitsTokenizer.from_pretrained(results / "base_model")
    clips = [
        clip
        for split in ("train", "validation")
        for clip in load_clips(results / "dataset" / split, tokenizer, base.speakers)
    ]
    found = newest_checkpoint(trained / "checkpoints")
    if found is None:
        raise BundleError(f"{trained / 'checkpoints'}: no checkpoint is whole. Copy it again")
    signature = make_signature(settings, base, tokenizer.get_vocab(), clips)
    if decide_start(found, signature, settings) is not Start.RESUME:
        raise BundleError(
            f"{trained} was trained on other data or with other settings than the present ones, "
            f"see above. Nothing has changed here. {_GO_ON}"
        )
    epochs = settings.continue_epochs if found.signature["continued"] else settings.epochs
    done = read_json(trained / _SUMMARY)
    if done["epoch"] < epochs and settings.early_stopping_epochs is None:
        raise BundleError(
            f"{trained} ended after {done['epoch']} epochs, and training.epochs is {epochs} now. "
            f"Nothing has changed here. {_GO_ON}"
        )


def _place(trained: Path, results: Path) -> None:
    """Copy checkpoints and curves, beside what was there."""
    root = results / "checkpoints"
    archived = replace_checkpoints(root, None)
    if archived:
        logger.warning("Earlier checkpoints are kept in %s", archived)
    with atomic_directory(root) as temporary:
        shutil.copytree(trained / "checkpoints", temporary, dirs_exist_ok=True)
    curves = results / "tensorboard"
    archive_curves(curves)
    for file in sorted((trained / "tensorboard").glob("events.out.tfevents.*")):
        with atomic_path(curves / file.name) as temporary:
            shutil.copyfile(file, temporary)


def _keep_outcome(summary: Path, results: Path) -> None:
    """Write the weights and curves that the training has left, of the checkpoints placed here.

    One of an earlier version has none beside its checkpoints.
    """
    paths = TrainingPaths.within(results, results / "dataset", results / "base_model")
    done = read_json(summary)
    keep_weights(paths.checkpoints, Path(done["last"]).name, Path(done["best"]).name, paths.weights)
    keep_curves(paths)

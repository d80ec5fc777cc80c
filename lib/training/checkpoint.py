"""Checkpoints: one directory each, complete or absent, with checksums.

``checkpoints/epoch0025/`` (milestones, kept by policy) and ``checkpoints/step00001234/`` (rolling,
the newest two) hold what resuming needs: weights of both networks and of the moving average, both
optimizers, the gradient scaler, and ``state.json``. That file has everything else, and it is enough
to decide whether a training may resume. ``checkpoints/best/`` is written after every epoch that
improves. It holds what an export needs, the moving average and ``state.json``, an eighth of the
size.

`Accelerator.save_state` writes in place and without checksums, so that a kill would leave a partial
checkpoint that looks complete.
"""

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib.base_model.weights import (
    AVERAGE_FILE,
    STATE_FILE,
    DamagedCheckpointError,
    check_file,
    compute_checksum,
    describe_fault,
    read_record,
)
from lib.files import atomic_directory, link_file, remove_temporaries
from lib.keeping.keeper import RESUMABLE_FILE

logger = logging.getLogger(__name__)

BEST = "best"
"""Name of the checkpoint with the weights of the best epoch."""
_KEPT_ROLLING = 2
_NETWORKS = ("generator", "ema", "discriminator")
_OPTIMIZERS = RESUMABLE_FILE
_ASIDE = ".old"


@dataclass
class TrainState:
    """Position and results of a training; noise and order of clips are computed from it."""

    epoch: int = 0
    """Epochs completed."""
    batch: int = 0
    """Optimizer-step batches completed in the epoch under way."""
    step: int = 0
    """Optimizer steps taken or skipped."""
    skipped_steps: int = 0
    """Steps not taken because a loss was not finite."""
    overflowed_steps: int = 0
    """Steps not taken because the scaled gradients of fp16 overflowed; the scale was lowered."""
    best_score: float | None = None
    best_epoch: int | None = None
    best_losses: dict[str, float] | None = None
    """The weighted losses, whose sum is the score."""
    validated_on: str | None = None
    """Digest of the validation clips and precision; only scores with the same can be compared."""
    micro_batch_clips: int | None = None
    """Clips in a micro-batch."""
    micro_batch_budget: int | None = None
    """Largest `lib.training.batching.memory_cost` of one; smaller after memory ran out."""
    memory: str | None = None
    """Device and limit that the two were chosen for."""
    finished: bool = False

    def count_not_taken(self) -> dict[str, int]:
        """Return the numbers of steps that were not taken, by their cause."""
        return {"skipped_steps": self.skipped_steps, "overflowed_steps": self.overflowed_steps}

    def note_best(self, score: float, losses: dict[str, float], epoch: int) -> None:
        """Make an epoch the best so far, with its validation score and weighted losses."""
        self.best_score, self.best_losses, self.best_epoch = score, losses, epoch


@dataclass
class Checkpoint:
    """The content of a checkpoint."""

    state: TrainState
    signature: Mapping[str, Any]
    """Settings, digests of dataset and base, speaker and vocabulary maps."""
    ema: Mapping[str, Tensor]
    generator: Mapping[str, Tensor] = field(default_factory=dict)
    discriminator: Mapping[str, Tensor] = field(default_factory=dict)
    optimizers: Mapping[str, Any] = field(default_factory=dict)
    """State dicts of optimizers and scaler, by name; without them no training can resume."""


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a crash at any moment leaves the old one or the new one."""
    with atomic_directory(directory, _aside(directory)) as temporary:
        for name in _NETWORKS:
            weights = getattr(checkpoint, name)
            tensors = {k: v.detach().cpu().contiguous() for k, v in weights.items()}
            if tensors:
                save_file(tensors, temporary / f"{name}.safetensors")
        if checkpoint.optimizers:
            torch.save(dict(checkpoint.optimizers), temporary / _OPTIMIZERS)
        files = sorted(temporary.iterdir())
        record = {
            "state": asdict(checkpoint.state),
            "signature": dict(checkpoint.signature),
            "checksums": {path.name: compute_checksum(path) for path in files},
        }
        text = json.dumps(record, indent=1, ensure_ascii=False)
        (temporary / STATE_FILE).write_text(text, "utf-8")


def recover_checkpoints(root: Path) -> None:
    """Complete the moves that a killed run has begun, so that every checkpoint has its name."""
    if not root.exists() and _successor(root).is_dir():
        # Killed between the two moves of `replace_checkpoints`.
        os.replace(_successor(root), root)
    for aside in root.glob(f"*{_ASIDE}"):
        directory = aside.with_name(aside.name.removesuffix(_ASIDE))
        if directory.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.replace(aside, directory)


def load_checkpoint(directory: Path, average_only: bool = False) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Parameters
    ----------
    average_only
        Whether to read and check the moving average alone.

    Raises
    ------
    DamagedCheckpointError
        If a file is missing or does not match its checksum.
    """
    record = read_state(directory)
    parts: dict[str, Any] = {}
    for file, checksum in record["checksums"].items():
        if average_only and file != AVERAGE_FILE:
            continue
        path = directory / file
        check_file(path, checksum)
        parts[path.stem] = _load_optimizers(path) if file == _OPTIMIZERS else load_file(path)
    state = TrainState(**record["state"])
    return Checkpoint(state=state, signature=record["signature"], **parts)


def _load_optimizers(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, weights_only=True)
    except UnpicklingError as error:
        raise DamagedCheckpointError(f"{path} cannot be read: {describe_fault(error)}") from None


def read_state(directory: Path) -> dict[str, Any]:
    """Read ``state.json`` alone.

    Raises
    ------
    DamagedCheckpointError
        If it cannot be read, or another version wrote it.
    """
    record = read_record(directory)
    try:
        TrainState(**record["state"])
    except TypeError as error:
        raise DamagedCheckpointError(f"{directory / STATE_FILE} cannot be read: {error}") from None
    return record


def saved_step(directory: Path) -> int | None:
    """Return the steps of the checkpoint in a directory; None if there is no readable one."""
    try:
        return read_state(directory)["state"]["step"]
    except DamagedCheckpointError:
        return None


def newest_checkpoint(root: Path) -> Checkpoint | None:
    """Load the checkpoint with the most steps; damaged ones are skipped with a message."""
    readable = []
    for directory in _directories(root):
        try:
            record = read_state(directory)
        except DamagedCheckpointError as error:
            logger.warning("Skipped a checkpoint: %s", error)
            continue
        if _OPTIMIZERS not in record["checksums"]:
            continue
        state = record["state"]
        readable.append((state["step"], state["finished"], directory.name, directory))
    for _, _, _, directory in sorted(readable, reverse=True):
        try:
            checkpoint = load_checkpoint(directory)
        except DamagedCheckpointError as error:
            logger.warning("Skipped a checkpoint: %s", error)
            continue
        logger.info("Found checkpoint %s", directory)
        return checkpoint
    return None


def remove_surplus(root: Path, keep: int | str) -> None:
    """Keep the newest rolling checkpoints and as many milestones as the policy says."""
    for name in find_surplus((path.name for path in root.iterdir()), keep):
        shutil.rmtree(root / name, ignore_errors=True)
    remove_temporaries(root)


def find_surplus(names: Iterable[str], keep: int | str) -> list[str]:
    """Return those names of checkpoints that the policy does not keep."""
    names = sorted(names)
    rolling = [name for name in names if re.match("step[0-9]", name)]
    milestones = [name for name in names if re.match("epoch[0-9]", name)]
    surplus = rolling[:-_KEPT_ROLLING]
    if keep != "all":
        surplus += milestones[: max(0, len(milestones) - int(keep))]
    return surplus


def keep_weights(root: Path, last: str, best: str, folder: Path) -> None:
    """Write what voices can be made of, when a training has ended: the averages of all milestones.

    ``{checkpoint}/ema.safetensors`` and ``state.json`` are the checkpoints' files under a second
    name, and cost no disk where the file system has such names.

    Parameters
    ----------
    last, best
        Names of two checkpoints that count beside the milestones. A damaged one is left out.
    """
    milestones = (path.name for path in _directories(root) if re.match("epoch[0-9]", path.name))
    with atomic_directory(folder) as temporary:
        for name in dict.fromkeys([last, *milestones, best]):
            try:
                checksum = read_state(root / name)["checksums"].get(AVERAGE_FILE)
                check_file(root / name / AVERAGE_FILE, checksum)
            except DamagedCheckpointError as error:
                logger.warning("Left out: %s", error)
                continue
            (temporary / name).mkdir()
            for file in (STATE_FILE, AVERAGE_FILE):
                link_file(root / name / file, temporary / name / file)


def replace_checkpoints(root: Path, first: Checkpoint | None) -> Path | None:
    """Move all checkpoints aside, so that a training can start anew and nothing is lost.

    If the run is killed here, the next one finds either the old checkpoints or `first`.

    Parameters
    ----------
    first
        State that the new training starts from; None starts from the base model.

    Returns
    -------
    Path or None
        Folder of the old checkpoints; None if there were none.
    """
    successor = _successor(root)
    shutil.rmtree(successor, ignore_errors=True)
    if first:
        save_checkpoint(successor / f"step{first.state.step:08d}", first)
    target = None
    if any(_directories(root)):
        name = f"{root.name}.{time.strftime('%Y%m%d-%H%M%S')}"
        target, number = root.with_name(name), 1
        while target.exists():
            number += 1
            target = root.with_name(f"{name}-{number}")
        os.replace(root, target)
    if first:
        os.replace(successor, root)
    return target


def _aside(directory: Path) -> Path:
    return directory.with_name(directory.name + _ASIDE)


def _successor(root: Path) -> Path:
    return root.with_name(f"{root.name}.new")


def _directories(root: Path) -> Iterator[Path]:
    if root.is_dir():
        for path in sorted(root.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                yield path

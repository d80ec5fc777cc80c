"""Checkpoints: one directory each, complete or absent, with checksums.

``checkpoints/epoch0025/`` (milestones, kept by policy) and ``checkpoints/step00001234/`` (rolling,
the newest two) hold what going on needs: weights of both networks and of the moving average, both
optimizers, the gradient scaler, and ``state.json``, which carries everything else and is enough to
say whether a training may go on. ``checkpoints/best/``, which is written after every epoch that
improves, holds what an export needs, an eighth of it: the moving average and ``state.json``.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

logger = logging.getLogger(__name__)

BEST = "best"
"""Name of the checkpoint with the weights of the best epoch."""
_KEPT_ROLLING = 2
_NETWORKS = ("generator", "ema", "discriminator")
_OPTIMIZERS = "optimizers.pt"
_ASIDE = ".old"


@dataclass
class Progress:
    """Where a training stands; noise and order of clips follow from it."""

    epoch: int = 0
    """Epochs completed."""
    window: int = 0
    """Windows completed in the epoch under way."""
    step: int = 0
    """Optimizer steps taken or skipped."""
    skipped_steps: int = 0
    """Steps not taken because a loss was not finite."""
    overflowed_steps: int = 0
    """Steps not taken because the scaled gradients of fp16 overflowed; the scale was lowered."""
    best_score: float | None = None
    best_epoch: int | None = None
    best_losses: dict[str, float] | None = None
    """What the score is made of, each with its weight."""
    validated_on: str | None = None
    """What scores can be compared: digest of the validation clips and of how they are computed."""
    micro_batch: int | None = None
    """Clips in a micro-batch."""
    memory_budget: int | None = None
    """Largest cost of one, see `lib.training.memory`; smaller after memory ran out."""
    memory: str | None = None
    """Device and limit that the two were chosen for."""
    finished: bool = False


@dataclass
class Checkpoint:
    """What a checkpoint holds."""

    progress: Progress
    recipe: Mapping[str, Any]
    """Settings, digests of dataset and base, speaker and vocabulary maps."""
    ema: Mapping[str, Tensor]
    generator: Mapping[str, Tensor] = field(default_factory=dict)
    discriminator: Mapping[str, Tensor] = field(default_factory=dict)
    optimizers: Mapping[str, Any] = field(default_factory=dict)
    """State dicts of optimizers and scaler, by name. Without them nothing can go on from here."""


class DamagedCheckpointError(ValueError):
    """A checkpoint whose files are missing or do not match their checksums."""


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a crash at any moment leaves the old one or the new one."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = directory.with_name(f".{directory.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name in _NETWORKS:
        tensors = {k: v.detach().cpu().contiguous() for k, v in getattr(checkpoint, name).items()}
        if tensors:
            save_file(tensors, temporary / f"{name}.safetensors")
    if checkpoint.optimizers:
        torch.save(dict(checkpoint.optimizers), temporary / _OPTIMIZERS)
    checksums = {path.name: _checksum(path) for path in sorted(temporary.iterdir())}
    state = {
        "progress": asdict(checkpoint.progress),
        "recipe": dict(checkpoint.recipe),
        "checksums": checksums,
    }
    (temporary / "state.json").write_text(json.dumps(state, indent=1, ensure_ascii=False), "utf-8")
    _flush(temporary)
    # A directory cannot replace a full one in a single step: the old one steps aside first, and
    # `recover_checkpoints` finds it there after a kill.
    aside = _aside(directory)
    shutil.rmtree(aside, ignore_errors=True)
    if directory.exists():
        os.replace(directory, aside)
    os.replace(temporary, directory)
    shutil.rmtree(aside, ignore_errors=True)


def recover_checkpoints(root: Path) -> None:
    """Finish what a kill left half done: give back the names of what had stepped aside."""
    if not root.exists() and _successor(root).is_dir():
        # Killed between the two moves of `replace_checkpoints`.
        os.replace(_successor(root), root)
    for aside in root.glob(f"*{_ASIDE}"):
        directory = aside.with_name(aside.name.removesuffix(_ASIDE))
        if directory.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.replace(aside, directory)


def load_checkpoint(directory: Path, voice_only: bool = False) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Parameters
    ----------
    voice_only
        Whether to read and check the moving average alone.

    Raises
    ------
    DamagedCheckpointError
        If a file is missing or does not match its checksum.
    """
    state = read_state(directory)
    parts: dict[str, Any] = {}
    for file, checksum in state["checksums"].items():
        path = directory / file
        if voice_only and path.stem != "ema":
            continue
        if not path.is_file() or _checksum(path) != checksum:
            raise DamagedCheckpointError(f"{path} is missing or damaged")
        parts[path.stem] = (
            torch.load(path, weights_only=True) if file == _OPTIMIZERS else load_file(path)
        )
    return Checkpoint(progress=Progress(**state["progress"]), recipe=state["recipe"], **parts)


def read_state(directory: Path) -> dict[str, Any]:
    """Read ``state.json`` alone.

    Raises
    ------
    DamagedCheckpointError
        If it cannot be read.
    """
    try:
        state = json.loads((directory / "state.json").read_text("utf-8"))
        Progress(**state["progress"])
        state["recipe"], state["checksums"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedCheckpointError(
            f"{directory / 'state.json'} cannot be read: {error}"
        ) from None
    return state


def saved_step(directory: Path) -> int | None:
    """Return the steps of the checkpoint in a directory; None if there is no readable one."""
    try:
        return read_state(directory)["progress"]["step"]
    except DamagedCheckpointError:
        return None


def newest_checkpoint(root: Path) -> Checkpoint | None:
    """Load the checkpoint with the most steps; damaged ones are skipped with a message."""
    readable = []
    for directory in _directories(root):
        try:
            state = read_state(directory)
        except DamagedCheckpointError as error:
            logger.warning("Skipped a checkpoint: %s", error)
            continue
        if _OPTIMIZERS not in state["checksums"]:
            continue
        progress = state["progress"]
        readable.append((progress["step"], progress["finished"], directory.name, directory))
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
    rolling = sorted(root.glob("step[0-9]*"))
    milestones = sorted(root.glob("epoch[0-9]*"))
    surplus = rolling[:-_KEPT_ROLLING]
    if keep != "all":
        surplus += milestones[: max(0, len(milestones) - int(keep))]
    for directory in surplus:
        shutil.rmtree(directory, ignore_errors=True)
    for leftover in root.glob(".*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)


def replace_checkpoints(root: Path, first: Checkpoint | None) -> Path | None:
    """Move all checkpoints aside, so that a training can start anew and nothing is lost.

    Parameters
    ----------
    first
        State that the new training starts from, if it is not the base model. Killed at any moment
        here, the next run finds either the old checkpoints or this one.

    Returns
    -------
    Path or None
        Where the old checkpoints are now.
    """
    successor = _successor(root)
    shutil.rmtree(successor, ignore_errors=True)
    if first:
        save_checkpoint(successor / f"step{first.progress.step:08d}", first)
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


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _flush(directory: Path) -> None:
    """Ask the system to write all files: a power cut must not leave an empty file behind."""
    for path in [*directory.iterdir(), directory]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

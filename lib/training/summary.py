"""What a training came to: ``training.json``, which the export and the report read.

Paths in it are relative to the folder that it lies in, so that a whole run can be moved.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib.files import read_json, write_json
from lib.training.checkpoint import Progress
from lib.training.settings import TrainingPaths


def write_summary(
    paths: TrainingPaths,
    progress: Progress,
    recipe: Mapping[str, Any],
    best: Path,
    last: Path,
    num_clips: tuple[int, int],
    excluded: Mapping[str, str],
    code: str | None,
) -> None:
    """Write the summary of a training that has ended.

    Parameters
    ----------
    best, last
        Checkpoints.
    num_clips
        Of the training and the validation split.
    excluded
        Clips that nothing was learnt from, with the reason.
    code
        Digest of the code at hand; the recipe tells with which one the weights were trained.
    """
    home = paths.summary.absolute().parent
    trained_by = recipe.get("code", [])
    summary = {
        **asdict(progress),
        "last": os.path.relpath(last.absolute(), home),
        "best": os.path.relpath(best.absolute(), home),
        "clips": num_clips[0],
        "validation_clips": num_clips[1],
        "excluded": excluded,
        "tensorboard": os.path.relpath(paths.tensorboard.absolute(), home),
        "code": {
            "now": code,
            "trained_by": trained_by,
            "is_other": bool(code and trained_by and trained_by[-1]["code"] != code),
        },
    }
    write_json(paths.summary, summary)


def find_checkpoint(summary: Path, choice: str) -> Path:
    """Return the ``best`` or ``last`` checkpoint that a summary names.

    Raises
    ------
    ValueError
        If it is not there.
    """
    named = read_json(summary)[choice]
    path = summary.parent / named
    if not path.is_dir():
        raise ValueError(
            f"{summary} names {named} as its {choice} checkpoint, and {path} is not there. Bring "
            f"it back, or remove {summary} and run again: the training goes on from what is left"
        )
    return path

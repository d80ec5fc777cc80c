"""The log of a training: TensorBoard, a progress bar, and what came of it in the end."""

import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lib.files import atomic_directory, link_file, write_json
from lib.mms import SAMPLE_RATE
from lib.training.checkpoint import TrainState, keep_weights
from lib.training.settings import TrainingPaths
from lib.training.validation import ValidationResult

logger = logging.getLogger(__name__)

_EVENTS = "events.out.tfevents.*"


class TrainingLog:
    """Writes to TensorBoard and moves the progress bar; silent on all but the main process."""

    def __init__(self, directory: Path, total_steps: int, step: int, active: bool = True) -> None:
        self.writer = None
        if active:
            from torch.utils.tensorboard import SummaryWriter

            # Steps that a killed run logged after its last checkpoint are dropped, because they are
            # logged again.
            self.writer = SummaryWriter(str(directory), purge_step=step)
        self.bar = tqdm(
            total=total_steps,
            initial=step,
            unit="step",
            desc=f"training, going on at step {step}" if step else "training",
            file=sys.stderr,
            dynamic_ncols=True,
            # A terminal shows a moving bar; a log file gets a line every half a minute.
            mininterval=0.5 if sys.stderr.isatty() else 30.0,
            disable=not active,
        )

    def scalars(self, group: str, values: Mapping[str, Any], step: int) -> None:
        """Log numbers under ``group/name``."""
        if self.writer:
            for name, value in values.items():
                self.writer.add_scalar(f"{group}/{name}", float(value), step)

    def validation(self, result: ValidationResult, step: int) -> None:
        """Log the losses of the validation clips, and the first clip's spectrograms."""
        self.scalars("validation", {**result.losses, "score": result.score}, step)
        if example := result.example:
            # Lower values are shown as dark as -11.6, the level of silence.
            true, generated = (
                m[0].float().clamp(min=-11.6) for m in (example.target_mel, example.mel)
            )
            self.picture("validation/mel_true", true, step)
            self.picture("validation/mel_generated", generated, step)
            self.picture("validation/alignment", example.path[0].T, step)

    def picture(self, name: str, values: Tensor, step: int) -> None:
        """Log a matrix ``(rows, columns)`` as a picture, low values dark, row 0 at the bottom."""
        if self.writer:
            self.writer.add_image(name, _colour(values), step, dataformats="HWC")

    def audio(self, name: str, waveform: Tensor, step: int) -> None:
        """Log a waveform ``(samples,)`` in [-1, 1]."""
        if self.writer:
            samples = waveform.detach().float().cpu().clamp(-1, 1).unsqueeze(0)
            self.writer.add_audio(name, samples, step, SAMPLE_RATE)

    def advance(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Move the bar by one step."""
        self.bar.update()
        if losses:
            shown = {name: f"{value:.3g}" for name, value in losses.items()}
            self.bar.set_postfix({"epoch": epoch, **shown}, refresh=False)

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(self, *_: object) -> None:
        """Write everything that is not written yet, also after an error."""
        self.bar.close()
        if self.writer:
            self.writer.close()


def archive_curves(directory: Path) -> Path | None:
    """Move the curves of an earlier training into a folder of their own.

    TensorBoard shows them as another run beside the new one.
    """
    files = sorted(directory.glob(_EVENTS))
    if not files:
        return None
    name = f"until-{time.strftime('%Y%m%d-%H%M%S')}"
    target, number = directory / name, 1
    while target.exists():
        number += 1
        target = directory / f"{name}-{number}"
    target.mkdir()
    for file in files:
        os.replace(file, target / file.name)
    logger.info("The earlier curves are kept in %s", target)
    return target


def keep_curves(paths: TrainingPaths) -> None:
    """Write the curves of a training that has ended, without those of earlier ones.

    They are the event files under a second name, like the weights.
    """
    with atomic_directory(paths.curves) as temporary:
        for file in sorted(paths.tensorboard.glob(_EVENTS)):
            link_file(file, temporary / file.name)


class Throughput:
    """Measures the speed of the training between two readings, and the GPU memory it needs."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.clips = 0
        self.began = time.perf_counter()
        self.data_seconds = 0.0

    def count(self, clips: int) -> None:
        """Add the clips of a step."""
        self.clips += clips

    def read(self, data_seconds: float) -> dict[str, float]:
        """Return clips per second, the share of the time spent on loading, and peak GPU memory.

        Parameters
        ----------
        data_seconds
            Seconds spent on loading batches since the start of the training.
        """
        now = time.perf_counter()
        elapsed = now - self.began
        share = (data_seconds - self.data_seconds) / elapsed
        read = {"clips_per_second": self.clips / elapsed, "data_share": share}
        self.clips, self.began, self.data_seconds = 0, now, data_seconds
        if self.device.type == "cuda":
            read["peak_memory_gb"] = torch.cuda.max_memory_allocated() / 2**30
        return read


def _colour(values: Tensor) -> np.ndarray:
    """Map a matrix to RGB bytes ``(rows, columns, 3)``: black, violet, orange, white."""
    matrix = values.detach().float().cpu().flip(0).numpy()
    low, high = float(matrix.min()), float(matrix.max())
    scaled = (matrix - low) / (high - low) if high > low else np.zeros_like(matrix)
    stops = np.array([[0, 0, 10], [90, 20, 110], [240, 120, 30], [255, 250, 220]], dtype=float)
    positions = np.linspace(0, 1, len(stops))
    channels = [np.interp(scaled, positions, stops[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def write_outcome(
    paths: TrainingPaths,
    state: TrainState,
    signature: Mapping[str, Any],
    best: str,
    last: str,
    num_clips: tuple[int, int],
    code: str | None,
) -> None:
    """Write what came of a training that has ended: weights, curves, and a summary of it.

    Export, evaluation and report read these and not the checkpoints, which a workflow cannot
    declare: it would delete them with every job that failed. The paths in the summary are relative
    to its folder, so that a whole run can be moved.

    Parameters
    ----------
    best, last
        Names of these checkpoints.
    num_clips
        Number of clips of the training and of the validation split.
    code
        Digest of the present code. The signature has the digests of the code that trained.
    """
    home = paths.summary.absolute().parent
    keep_weights(paths.checkpoints, last, best, paths.weights)
    keep_curves(paths)
    trained_by = signature.get("code", [])
    summary = {
        **asdict(state),
        "last": os.path.relpath(paths.weights.absolute() / last, home),
        "best": os.path.relpath(paths.weights.absolute() / best, home),
        "clips": num_clips[0],
        "validation_clips": num_clips[1],
        "tensorboard": os.path.relpath(paths.curves.absolute(), home),
        "code": {
            "now": code,
            "trained_by": trained_by,
            "is_other": bool(code and trained_by and trained_by[-1]["code"] != code),
        },
    }
    write_json(paths.summary, summary)

"""Keeps count of the steps that were not taken because a gradient was not finite."""

import logging

from torch import Tensor

from lib.training.checkpoint import Progress
from lib.training.learner import ClipWindow

logger = logging.getLogger(__name__)


class TrainingDivergedError(RuntimeError):
    """Too many steps in a row gave no finite gradient."""


class SkippedSteps:
    """Whether steps were taken is known on the device; it is asked for now and then only."""

    def __init__(self, progress: Progress, limit: int) -> None:
        self.progress, self.limit = progress, limit
        self.in_a_row = 0
        self._unread: list[tuple[int, Tensor, ClipWindow]] = []

    def add(self, step: int, taken: Tensor, window: ClipWindow) -> None:
        """Remember a step; `taken` is ``()`` bool on the device."""
        self._unread.append((step, taken, window))

    def read(self) -> None:
        """Wait for the device; count and name what was skipped since the last reading.

        Raises
        ------
        TrainingDivergedError
            If more than `limit` steps in a row were.
        """
        for step, taken, window in self._unread:
            self.in_a_row = 0 if taken else self.in_a_row + 1
            if taken:
                continue
            self.progress.skipped_steps += 1
            clips = ", ".join(clip.id for micro_batch in window for clip in micro_batch)
            logger.warning("Step %d skipped: no finite gradient. Clips: %s", step, clips)
            if self.in_a_row > self.limit:
                raise TrainingDivergedError(
                    f"{self.in_a_row} steps in a row gave no finite gradient. The last checkpoint "
                    "is whole. Try training.precision: bf16 (or fp32), a lower "
                    "training.learning_rate, or listen to the clips named above."
                )
        self._unread.clear()

"""Counts of the steps that were not taken because a gradient was not finite.

In fp16 the loss is scaled so that small gradients do not vanish. The scale is found by trial: it
starts too high, and it is raised again from time to time, until the scaled gradients overflow. Such
a step is not taken, and no clip is the cause. A loss that is not finite itself has another cause.
"""

import logging

from torch import Tensor

from lib.training.batching import StepBatch
from lib.training.checkpoint import TrainState

logger = logging.getLogger(__name__)


MOST_OVERFLOWS = 24
"""Most steps in a row that may overflow: the loss scale has then fallen from 65,536 to 1/256."""


class TrainingDivergedError(RuntimeError):
    """Too many steps in a row had no finite gradient."""


class NonFiniteSteps:
    """Counts steps that were not taken; it reads that from the device only now and then."""

    def __init__(self, state: TrainState, limit: int) -> None:
        self.state, self.limit = state, limit
        self.in_a_row = self.overflows_in_a_row = 0
        self._unread: list[tuple[int, Tensor, Tensor, StepBatch]] = []

    def add(self, step: int, taken: Tensor, overflowed: Tensor, batch: StepBatch) -> None:
        """Remember a step.

        Parameters
        ----------
        taken, overflowed
            ``()`` bool on the device: whether the step was taken, and if not, whether the loss
            scale was too high.
        """
        self._unread.append((step, taken, overflowed, batch))

    def read(self) -> None:
        """Wait for the device; count and log the steps skipped since the last reading.

        Raises
        ------
        TrainingDivergedError
            If more than `limit` steps in a row were skipped, or so many overflowed that the scale
            cannot be the cause.
        """
        unread, self._unread = self._unread, []
        for step, taken, overflowed, batch in unread:
            if taken:
                self.in_a_row = self.overflows_in_a_row = 0
            elif overflowed:
                self.overflows_in_a_row += 1
                self.state.overflowed_steps += 1
                logger.info("Step %d: gradients overflowed; fp16's loss scale is lowered", step)
            else:
                self.in_a_row += 1
                self.state.skipped_steps += 1
                clips = ", ".join(clip.id for micro_batch in batch for clip in micro_batch)
                logger.warning("Step %d skipped: no finite gradient. Clips: %s", step, clips)
            if self.in_a_row > self.limit or self.overflows_in_a_row > MOST_OVERFLOWS:
                raise TrainingDivergedError(
                    f"{self.in_a_row + self.overflows_in_a_row} steps in a row gave no finite "
                    "gradient. The last checkpoint is whole. Try training.mixed_precision: bf16 "
                    "(or fp32), a lower training.learning_rate, or listen to the clips named "
                    "above, if any."
                )

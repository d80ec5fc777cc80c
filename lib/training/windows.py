"""The windows of every epoch, in micro-batches that fit into memory."""

import logging
from collections.abc import Callable, Sequence

from lib.training.batching import plan_epoch
from lib.training.checkpoint import Progress
from lib.training.data import TrainingClip
from lib.training.learner import ClipWindow
from lib.training.memory import MicroBatches, choose_micro_batches, free_memory, memory_cost
from lib.training.settings import TrainingSettings

logger = logging.getLogger(__name__)


class Windows:
    """Arranges clips into optimizer steps; what memory allows is kept in the progress."""

    def __init__(
        self, clips: Sequence[TrainingClip], settings: TrainingSettings, progress: Progress
    ) -> None:
        self.clips, self.settings, self.progress = clips, settings, progress

    def probe(self, fits: Callable[[ClipWindow], bool], memory: str) -> None:
        """Choose the micro-batches, unless it was done for the same memory.

        Within an epoch they stay: which clips it has seen depends on them.

        Parameters
        ----------
        fits
            Says whether a step over a window stays within the memory.
        memory
            What the choice depends on: the device, and how much of it may be used.
        """
        progress, settings = self.progress, self.settings
        known = progress.micro_batch is not None
        if known and (progress.window or progress.memory == memory):
            return
        longest = sorted(self.clips, key=lambda clip: -len(clip.audio))
        chosen = choose_micro_batches(
            settings.effective_batch,
            settings.accumulation,
            _frames(self.clips),
            settings.segment_frames,
            # Two to a step: while the second is computed, the gradients of the first are there.
            lambda size: fits([(longest * size)[:size]] * 2),
        )
        progress.micro_batch, progress.memory_budget = chosen.clips, chosen.budget
        progress.memory = memory

    def of_epoch(self, epoch: int) -> list[ClipWindow]:
        """Arrange all clips: a function of the seed, the epoch and the micro-batch."""
        plan = plan_epoch(
            [len(clip.audio) for clip in self.clips],
            self.progress.micro_batch,
            self.settings.effective_batch,
            self.settings.seed,
            epoch,
        )
        return [[[self.clips[i] for i in part] for part in window] for window in plan]

    def fit(self, window: ClipWindow) -> ClipWindow:
        """Take micro-batches apart whose clips are too long to be in memory together."""
        limit = MicroBatches(self.progress.micro_batch, self.progress.memory_budget)
        segment = self.settings.segment_frames
        return [part[piece] for part in window for piece in limit.split(_frames(part), segment)]

    def shrink(self, window: ClipWindow) -> None:
        """After memory ran out in a window: from now on half of its largest micro-batch.

        Raises
        ------
        MemoryError
            If its micro-batches are single clips already.
        """
        shared = [part for part in window if len(part) > 1]
        if not shared:
            raise MemoryError(
                "a single clip does not fit into training.memory_gb: raise it, or lower "
                "audio.max_duration"
            )
        segment = self.settings.segment_frames
        largest = max(memory_cost(_frames(part), segment) for part in shared)
        self.progress.memory_budget = largest // 2
        free_memory()
        logger.warning("Out of memory: micro-batches are split to half their size from now on")


def _frames(clips: Sequence[TrainingClip]) -> list[int]:
    return [clip.num_frames() for clip in clips]

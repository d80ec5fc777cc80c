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

    def probe(self, fits: Callable[[ClipWindow], bool]) -> None:
        """Choose the micro-batches, unless an earlier run has.

        Parameters
        ----------
        fits
            Says whether a step over a window stays within the memory.
        """
        if self.progress.micro_batch is not None:
            return
        longest = sorted(self.clips, key=lambda clip: -len(clip.audio))
        chosen = choose_micro_batches(
            self.settings.effective_batch,
            self.settings.accumulation,
            _frames(self.clips),
            self.settings.segment_frames,
            lambda size: fits([(longest * size)[:size]]),
        )
        self.progress.micro_batch, self.progress.memory_budget = chosen.clips, chosen.budget

    def of_epoch(self, epoch: int) -> list[ClipWindow]:
        """Arrange all clips: a function of the seed, the epoch and the micro-batch."""
        micro_batch = self.progress.micro_batch
        accumulation = max(1, round(self.settings.effective_batch / micro_batch))
        lengths = [len(clip.audio) for clip in self.clips]
        plan = plan_epoch(lengths, micro_batch, accumulation, self.settings.seed, epoch)
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

"""The order of clips in a training, in micro-batches that fit into memory.

An epoch is a list of optimizer-step batches; each is a list of micro-batches whose gradients are
accumulated. Their clips are a pure function of the seed, the epoch and the limits of a micro-batch.
The limits are chosen once and kept in the train state.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from lib.config.training import TrainingSettings
from lib.training.checkpoint import TrainState
from lib.training.device import free_memory
from lib.training.sampling import sample_epoch
from lib.vits.clips import TrainingClip

logger = logging.getLogger(__name__)

StepBatch = Sequence[Sequence[TrainingClip]]
"""Micro-batches of one optimizer step."""

SEGMENT_COST = 32
"""Memory of a frame in the decoder and the discriminator, divided by that of a frame in the rest of
the generator: 5.7 MB and 0.18 MB of saved activations in fp32 at the size of MMS-TTS."""

_POOL_STEPS = 8
"""Number of steps whose clips are sorted by length together. Padding is small for that many, and
the clips of a step are still a random mix."""
_FEWEST_MICRO_BATCHES = 2


@dataclass(frozen=True)
class MicroBatchLimits:
    """Limits of the size of a micro-batch."""

    clips: int
    budget: int | None = None
    """Largest `memory_cost`; None is no limit. A single clip may exceed it."""


def memory_cost(frames: Sequence[int], segment_frames: int) -> int:
    """Return the memory that a micro-batch needs, in padded frames.

    Every clip is padded to the longest one, and its segment is added.
    """
    return len(frames) * (max(frames) + SEGMENT_COST * segment_frames)


def plan_epoch(
    lengths: Sequence[int],
    frames: Sequence[int],
    limits: MicroBatchLimits,
    effective_batch_size: int,
    segment_frames: int,
    seed: int,
    epoch: int,
    chosen: Sequence[int] | None = None,
) -> list[list[list[int]]]:
    """Arrange the clips of an epoch into optimizer steps of exactly ``effective_batch_size`` clips.

    Clips of similar length share a micro-batch, so that there is little padding. Which clips a step
    has does not depend on the memory budget, because the budget may shrink within an epoch.

    Parameters
    ----------
    lengths, frames
        Samples and spectrogram frames of every clip.
    chosen
        Indices of the clips of this epoch, some perhaps more than once; None takes all of them.

    Returns
    -------
    list
        Steps of micro-batches of indices, with every chosen index as often as it was chosen. One
        step has fewer clips if the effective batch size does not divide their number.
    """
    rng = np.random.default_rng([seed, epoch])
    chosen = np.arange(len(lengths)) if chosen is None else np.asarray(chosen)
    order = chosen[rng.permutation(len(chosen))]
    pool = effective_batch_size * _POOL_STEPS
    steps: list[list[list[int]]] = []
    for start in range(0, len(order), pool):
        by_length = sorted(order[start : start + pool].tolist(), key=lambda i: lengths[i])
        steps += _deal(by_length, limits.clips, effective_batch_size, rng)
    return [
        [
            part
            for micro_batch in steps[i]
            for part in _split(micro_batch, frames, limits.budget, segment_frames)
        ]
        for i in rng.permutation(len(steps))
    ]


def _deal(
    by_length: Sequence[int], clips: int, effective_batch_size: int, rng: np.random.Generator
) -> list[list[list[int]]]:
    """Divide clips sorted by length into micro-batches, and assign those to steps at random."""
    totals = _divide(len(by_length), effective_batch_size)
    slots = [(s, size) for s, total in enumerate(totals) for size in _divide(total, clips)]
    steps: list[list[list[int]]] = [[] for _ in totals]
    remaining = iter(by_length)
    for slot in rng.permutation(len(slots)):
        step, size = slots[slot]
        steps[step].append(list(islice(remaining, size)))
    return steps


def _divide(total: int, size: int) -> list[int]:
    """Divide a number into parts of a size and a remainder."""
    return [min(size, total - start) for start in range(0, total, size)]


def _split(
    clips: Sequence[int], frames: Sequence[int], budget: int | None, segment_frames: int
) -> list[Sequence[int]]:
    """Divide a micro-batch into equal parts within the budget."""
    size = len(clips)
    while True:
        parts = [clips[i : i + size] for i in range(0, len(clips), size)]
        costs = (memory_cost([frames[i] for i in part], segment_frames) for part in parts)
        if size == 1 or budget is None or max(costs) <= budget:
            return parts
        size -= 1


def choose_limits(
    effective_batch_size: int,
    accumulation_steps: int | str,
    frames: Sequence[int],
    segment_frames: int,
    fits: Callable[[int], bool],
) -> MicroBatchLimits:
    """Find out how many of the longest clips fit into memory, and choose the limits from that.

    Parameters
    ----------
    effective_batch_size
        Clips per optimizer step.
    accumulation_steps
        A number fixes the micro-batch at ``effective_batch_size / accumulation_steps``, rounded
        up. ``auto`` takes the fewest micro-batches, at least two, into which clips of median
        length fit.
    frames
        Spectrogram frames of every clip of the training.
    fits
        Returns whether a step with so many of the longest clips fits into memory.

    Raises
    ------
    MemoryError
        If not even one clip fits.
    """
    if accumulation_steps != "auto":
        return MicroBatchLimits(math.ceil(effective_batch_size / int(accumulation_steps)))
    counts = range(min(_FEWEST_MICRO_BATCHES, effective_batch_size), effective_batch_size + 1)
    sizes = list(dict.fromkeys(math.ceil(effective_batch_size / k) for k in counts))
    most = next((size for size in sizes if fits(size)), None)
    if most is None:
        raise MemoryError(
            "not even one clip fits into training.memory_gb: raise it, or lower "
            "audio.max_duration so that the longest clips are shorter"
        )
    budget = memory_cost([max(frames)] * most, segment_frames)
    usual = sorted(frames)[len(frames) // 2]
    clips = next(n for n in sizes if memory_cost([usual] * n, segment_frames) <= budget)
    logger.info(
        "Micro-batch %d, %d to a step of %d clips; of the longest clips %d at once",
        clips,
        math.ceil(effective_batch_size / clips),
        effective_batch_size,
        most,
    )
    return MicroBatchLimits(clips, budget)


class Batches:
    """The optimizer-step batches of every epoch; their limits are kept in the train state."""

    def __init__(
        self, clips: Sequence[TrainingClip], settings: TrainingSettings, state: TrainState
    ) -> None:
        self.clips, self.settings, self.state = clips, settings, state
        self.lengths = [len(clip.audio) for clip in clips]
        self.frames = [clip.num_frames() for clip in clips]
        self.speakers = [clip.speaker for clip in clips]
        self._planned: tuple | None = None
        self._plan: list[list[list[int]]] = []

    def probe(self, fits: Callable[[StepBatch], bool], memory: str) -> None:
        """Choose the limits of a micro-batch, unless they were chosen for the same memory.

        They do not change within an epoch, because the clips of its steps depend on them.

        Parameters
        ----------
        fits
            Returns whether a step over a batch fits into memory.
        memory
            Device and memory limit that the choice depends on.
        """
        state, settings = self.state, self.settings
        known = state.micro_batch_clips is not None
        if known and (state.batch or state.memory == memory):
            return
        longest = sorted(self.clips, key=lambda clip: -len(clip.audio))
        limits = choose_limits(
            settings.effective_batch_size,
            settings.gradient_accumulation_steps,
            self.frames,
            settings.segment_frames,
            # Two micro-batches, because the second is computed while the first one's gradients
            # are in memory.
            lambda size: fits([(longest * size)[:size]] * 2),
        )
        state.micro_batch_clips, state.micro_batch_budget = limits.clips, limits.budget
        state.memory = memory

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps of an epoch."""
        return math.ceil(len(self.clips) / self.settings.effective_batch_size)

    def current(self) -> StepBatch:
        """Return the next batch by the train state."""
        state, settings = self.state, self.settings
        asked = state.epoch, state.micro_batch_clips, state.micro_batch_budget
        if self._planned != asked:
            self._planned = asked
            self._plan = plan_epoch(
                self.lengths,
                self.frames,
                MicroBatchLimits(state.micro_batch_clips, state.micro_batch_budget),
                settings.effective_batch_size,
                settings.segment_frames,
                settings.seed,
                state.epoch,
                sample_epoch(
                    self.speakers,
                    settings.speaker_temperature,
                    settings.max_clip_repeats,
                    settings.seed,
                    state.epoch,
                ),
            )
        return [[self.clips[i] for i in part] for part in self._plan[state.batch]]

    def shrink(self, batch: StepBatch) -> None:
        """Halve the memory budget, because memory ran out in a step over a batch.

        Raises
        ------
        MemoryError
            If the micro-batches are single clips already.
        """
        shared = [[clip.num_frames() for clip in part] for part in batch if len(part) > 1]
        if not shared:
            raise MemoryError(
                "a single clip does not fit into training.memory_gb: raise it, or lower "
                "audio.max_duration"
            )
        segment = self.settings.segment_frames
        self.state.micro_batch_budget = max(memory_cost(part, segment) for part in shared) // 2
        free_memory()
        logger.warning("Out of memory: micro-batches are split to half their size from now on")

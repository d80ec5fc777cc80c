"""Divides a step into micro-batches that the memory budget allows."""

import gc
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from accelerate.utils.memory import should_reduce_batch_size

logger = logging.getLogger(__name__)

_FEWEST_MICRO_BATCHES = 2

SEGMENT_COST = 32
"""Memory of a frame that the decoder and the discriminator see, in frames that only the rest of
the generator sees: 5.7 MB and 0.18 MB of saved activations in fp32 at the size of MMS-TTS."""


@dataclass(frozen=True)
class MicroBatches:
    """How a step is divided so that it fits into memory."""

    clips: int
    """At most so many clips in a micro-batch."""
    budget: int | None = None
    """Largest cost of a micro-batch, see `memory_cost`; None does not bound it."""

    def split(self, frames: Sequence[int], segment_frames: int) -> list[slice]:
        """Divide a micro-batch of clips of so many frames into parts within the budget."""
        size = len(frames)
        while size > 1 and self.budget is not None:
            parts = [frames[i : i + size] for i in range(0, len(frames), size)]
            if max(memory_cost(part, segment_frames) for part in parts) <= self.budget:
                break
            size -= 1
        return [slice(i, i + size) for i in range(0, len(frames), size)]


def memory_cost(frames: Sequence[int], segment_frames: int) -> int:
    """Memory that a micro-batch takes, in padded frames.

    Every clip costs as much as the longest beside it, and its segment.
    """
    return len(frames) * (max(frames) + SEGMENT_COST * segment_frames)


def bound_memory(device: torch.device, memory_gb: float) -> None:
    """Let the allocator take at most so many GB, whatever the card has."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_gb * 2**30 / total), device)


def choose_micro_batches(
    effective_batch: int,
    accumulation: int | str,
    frames: Sequence[int],
    segment_frames: int,
    fits: Callable[[int], bool],
) -> MicroBatches:
    """Find out how many of the longest clips fit, and divide a step of usual clips by that.

    Parameters
    ----------
    effective_batch
        Clips per optimizer step.
    accumulation
        A number fixes the micro-batch at ``effective_batch / accumulation``, rounded up; `auto`
        takes the fewest micro-batches, from two, that clips of median length need.
    frames
        Of every clip of the training.
    fits
        Says whether a step with so many of the longest clips stays within the memory.

    Raises
    ------
    MemoryError
        If not even one clip fits.
    """
    if accumulation != "auto":
        return MicroBatches(math.ceil(effective_batch / int(accumulation)))
    steps = range(min(_FEWEST_MICRO_BATCHES, effective_batch), effective_batch + 1)
    sizes = list(dict.fromkeys(math.ceil(effective_batch / k) for k in steps))
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
        math.ceil(effective_batch / clips),
        effective_batch,
        most,
    )
    return MicroBatches(clips, budget)


def fits_in_memory(run: Callable[[], None]) -> bool:
    """Whether `run` completes without running out of memory; leaves nothing of it in the cache."""
    fits = complete_in_memory(run)
    free_memory()
    return fits


def complete_in_memory(run: Callable[[], None]) -> bool:
    """Call `run` and say whether it had enough memory.

    When this returns, nothing of a failed call is alive any more. Inside an ``except`` block the
    traceback keeps every frame of the call alive, with all activations in it, so that whatever is
    tried there meets a full memory.

    Raises
    ------
    Exception
        Whatever else `run` raises.
    """
    try:
        run()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, of the device, its libraries or the host."""
    return (
        isinstance(error, torch.OutOfMemoryError)
        or should_reduce_batch_size(error)
        or "_STATUS_ALLOC_FAILED" in str(error)
    )


def free_memory() -> None:
    """Give cached device memory back."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

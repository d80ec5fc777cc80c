"""Chooses the micro-batch that the memory budget allows."""

import gc
import logging
import math
from collections.abc import Callable

import torch

logger = logging.getLogger(__name__)

_FEWEST_MICRO_BATCHES = 2


def bound_memory(device: torch.device, memory_gb: float) -> None:
    """Let the allocator take at most so many GB, whatever the card has."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_gb * 2**30 / total), device)


def choose_micro_batch(
    effective_batch: int, accumulation: int | str, fits: Callable[[int], bool]
) -> int:
    """Return the largest micro-batch that fits, for at least two micro-batches a step.

    Parameters
    ----------
    effective_batch
        Clips per optimizer step.
    accumulation
        A number fixes the micro-batch at ``effective_batch / accumulation``.
    fits
        Says whether a step with so many clips, the longest ones, stays within the budget.

    Raises
    ------
    MemoryError
        If not even one clip fits.
    """
    if accumulation != "auto":
        return math.ceil(effective_batch / int(accumulation))
    steps = range(min(_FEWEST_MICRO_BATCHES, effective_batch), effective_batch + 1)
    for micro_batch in dict.fromkeys(math.ceil(effective_batch / k) for k in steps):
        if fits(micro_batch):
            logger.info(
                "Micro-batch %d, %d to a step of %d clips",
                micro_batch,
                math.ceil(effective_batch / micro_batch),
                effective_batch,
            )
            return micro_batch
    raise MemoryError(
        "not even one clip fits into training.memory_gb: raise it, or lower audio.max_duration "
        "so that the longest clips are shorter"
    )


def fits_in_memory(run: Callable[[], None]) -> bool:
    """Whether `run` completes without running out of device memory."""
    try:
        run()
    except torch.cuda.OutOfMemoryError:
        return False
    finally:
        free_memory()
    return True


def free_memory() -> None:
    """Give cached device memory back."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

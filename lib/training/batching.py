"""Which clips are seen when: a pure function of the seed and the epoch.

An epoch is a list of windows, one optimizer step each; a window is a list of micro-batches whose
gradients are accumulated. Clips of similar length share a micro-batch, so that little padding is
computed on.
"""

from collections.abc import Sequence
from itertools import islice

import numpy as np

Window = list[list[int]]

_POOL_WINDOWS = 8
"""Clips of so many windows are sorted by length together: enough to make padding small, few
enough that windows stay a random mix."""


def plan_epoch(
    lengths: Sequence[int], micro_batch: int, effective_batch: int, seed: int, epoch: int
) -> list[Window]:
    """Arrange all clips into windows of exactly ``effective_batch`` clips.

    Parameters
    ----------
    lengths
        Length of every clip, in any unit.
    micro_batch
        Clips in a micro-batch; the last one of a window has fewer where they do not come out even.

    Returns
    -------
    list of Window
        Every index in ``range(len(lengths))`` exactly once. One window has fewer clips where the
        effective batch does not divide their number.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    pool = effective_batch * _POOL_WINDOWS
    windows: list[Window] = []
    for start in range(0, len(order), pool):
        by_length = sorted(order[start : start + pool].tolist(), key=lambda i: lengths[i])
        windows += _deal(by_length, micro_batch, effective_batch, rng)
    return [windows[i] for i in rng.permutation(len(windows))]


def _deal(
    by_length: Sequence[int], micro_batch: int, effective_batch: int, rng: np.random.Generator
) -> list[Window]:
    """Cut clips sorted by length into micro-batches, and deal those to windows at random."""
    totals = _divide(len(by_length), effective_batch)
    slots = [(w, size) for w, total in enumerate(totals) for size in _divide(total, micro_batch)]
    windows: list[Window] = [[] for _ in totals]
    remaining = iter(by_length)
    for slot in rng.permutation(len(slots)):
        window, size = slots[slot]
        windows[window].append(list(islice(remaining, size)))
    return windows


def _divide(total: int, size: int) -> list[int]:
    """Divide a number into parts of a size and a rest."""
    return [min(size, total - start) for start in range(0, total, size)]


def step_seed(seed: int, step: int, micro_batch: int) -> int:
    """Seed of one micro-batch's noise.

    Seeding each micro-batch anew makes resuming exact without storing any generator's state, and
    gives several processes the noise that one would have drawn.
    """
    return int(np.random.SeedSequence([seed, step, micro_batch]).generate_state(1)[0])

"""Which clips are seen when: a pure function of the seed and the epoch.

An epoch is a list of windows, one optimizer step each; a window is a list of micro-batches whose
gradients are accumulated. Clips of similar length share a micro-batch, so that little padding is
computed on.
"""

from collections.abc import Sequence

import numpy as np

Window = list[list[int]]

_POOL_WINDOWS = 8
"""Clips of so many windows are sorted by length together: enough to make padding small, few
enough that windows stay a random mix."""


def plan_epoch(
    lengths: Sequence[int], micro_batch: int, accumulation: int, seed: int, epoch: int
) -> list[Window]:
    """Arrange all clips into windows of ``accumulation`` micro-batches.

    Parameters
    ----------
    lengths
        Length of every clip, in any unit.

    Returns
    -------
    list of Window
        Every index in ``range(len(lengths))`` exactly once.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    pool = micro_batch * accumulation * _POOL_WINDOWS
    micro_batches: Window = []
    for start in range(0, len(order), pool):
        by_length = sorted(order[start : start + pool].tolist(), key=lambda i: lengths[i])
        micro_batches += [
            by_length[i : i + micro_batch] for i in range(0, len(by_length), micro_batch)
        ]
    shuffled = [micro_batches[i] for i in rng.permutation(len(micro_batches))]
    return [shuffled[i : i + accumulation] for i in range(0, len(shuffled), accumulation)]


def step_seed(seed: int, step: int, micro_batch: int) -> int:
    """Seed of one micro-batch's noise.

    Seeding each micro-batch anew makes resuming exact without storing any generator's state, and
    gives several processes the noise that one would have drawn.
    """
    return int(np.random.SeedSequence([seed, step, micro_batch]).generate_state(1)[0])

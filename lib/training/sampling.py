"""How often each clip is trained in an epoch, where speakers have unequal numbers of clips.

A speaker with a share p of the clips gets a share proportional to p^(1/T) of an epoch, T being the
temperature. The same is done for languages of unequal size in multilingual training (Arivazhagan et
al., Massively Multilingual Neural Machine Translation in the Wild, arXiv 1907.05019, section 4.1).
"""

from collections.abc import Sequence

import numpy as np


def count_visits(clips: Sequence[int], temperature: float, max_repeats: int) -> list[int]:
    """Divide an epoch of as many clips as there are among the speakers.

    Parameters
    ----------
    clips
        Number of clips of each speaker, one or more.
    temperature
        1 gives every speaker his own clips; the higher, the more equal are the shares.
    max_repeats
        Most times that a clip may come in an epoch, which bounds the share of a small speaker.
        What he may not have goes to the others.

    Returns
    -------
    list
        Clips of every speaker in an epoch; the sum is that of `clips`.
    """
    sizes = np.asarray(clips, dtype=np.float64)
    weights = (sizes / sizes.sum()) ** (1 / temperature)
    most, total = sizes * max_repeats, sizes.sum()
    shares = np.zeros_like(sizes)
    free = np.ones(len(sizes), dtype=bool)
    while True:
        left = total - shares[~free].sum()
        shares[free] = left * weights[free] / weights[free].sum()
        above = free & (shares > most)
        if not above.any():
            break
        shares[above] = most[above]
        free &= ~above
    counts = np.floor(shares + 1e-9).astype(int)
    # Whole clips: the largest remainders first, those of equal size in the order of speakers.
    remainders = np.argsort(-(shares - counts), kind="stable")
    counts[remainders[: int(total) - counts.sum()]] += 1
    return counts.tolist()


def sample_epoch(
    speakers: Sequence[int], temperature: float, max_repeats: int, seed: int, epoch: int
) -> np.ndarray:
    """Choose the clips of an epoch.

    Each clip of a speaker comes as often as any other one, to within one visit, in an epoch and
    over all epochs up to any: what does not fill a whole pass goes on in the next epoch. The choice
    is a pure function of the arguments, so that a resumed training makes the same one.

    Parameters
    ----------
    speakers
        Speaker of every clip.
    temperature, max_repeats
        See `count_visits`.

    Returns
    -------
    np.ndarray
        ``(clips,)`` indices in ascending order, some of them more than once and some not at all.
    """
    if temperature == 1:
        return np.arange(len(speakers))
    names, of_clip = np.unique(np.asarray(speakers), return_inverse=True)
    own = [np.flatnonzero(of_clip == number) for number in range(len(names))]
    visits = count_visits([len(clips) for clips in own], temperature, max_repeats)
    chosen = []
    for number, (clips, count) in enumerate(zip(own, visits, strict=True)):
        in_turn = np.random.default_rng([seed, number]).permutation(clips)
        chosen.append(in_turn[(np.arange(count) + epoch * count) % len(clips)])
    return np.sort(np.concatenate(chosen))

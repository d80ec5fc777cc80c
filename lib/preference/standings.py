"""Ranks checkpoints by votes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lib.preference.bradley_terry import fit_strengths
from lib.preference.vote_file import SAME, Vote

_WORTH = {"won": 1.0, SAME: 0.5, "lost": 0.0}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the votes say of a checkpoint."""

    checkpoint: str
    epoch: int
    won: int
    lost: int
    same: int
    strength: float
    """In natural logarithms of odds; the mean of all is 0."""
    deviation: float
    """Standard deviation of the strength."""
    probability_best: float
    """How likely it is the one that most listeners prefer."""


def rank_checkpoints(epochs: Mapping[str, int], votes: Sequence[Vote]) -> list[Standing]:
    """Rank checkpoints by votes, the strongest first; of equal ones the earliest.

    Parameters
    ----------
    epochs
        Epoch by the name of the checkpoint.
    votes
        Those of other checkpoints are left out.
    """
    names = list(epochs)
    numbers = {name: number for number, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    tally: dict[str, Counter[str]] = {name: Counter() for name in names}
    for vote in (vote for vote in votes if vote.a in numbers and vote.b in numbers):
        for one, other in ((vote.a, vote.b), (vote.b, vote.a)):
            outcome = SAME if vote.winner is None else "won" if vote.winner == one else "lost"
            wins[numbers[one], numbers[other]] += _WORTH[outcome]
            tally[one][outcome] += 1
    found = fit_strengths(wins)
    standings = [
        Standing(
            name,
            epochs[name],
            tally[name]["won"],
            tally[name]["lost"],
            tally[name][SAME],
            round(float(found.mean[number]), 3),
            round(float(found.deviation[number]), 3),
            round(float(found.probability_best[number]), 3),
        )
        for name, number in numbers.items()
    ]
    return sorted(standings, key=lambda row: (-row.strength, row.epoch))

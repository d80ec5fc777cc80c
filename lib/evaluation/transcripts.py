"""Are the transcripts those of the clips? Found by an alignment, in any language.

Every clip's own text is compared with texts of other clips that are about as long
(`lib.evaluation.comparison`). A wrong transcript explains its recording no better than theirs do.
Where a table has slipped by a row, the text of a neighbour does so better, for many rows in turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.evaluation.comparison import (
    NEIGHBOURS,
    Comparison,
    Judge,
    choose_others,
    compare_clip,
    list_neighbours,
    measure_knowledge,
)
from lib.mms import HOP_LENGTH, SAMPLE_RATE
from lib.vits.clips import TrainingClip

SHIFT_RUN = 3
"""Rows that are explained better by the row at the same distance, for a shifted table."""
_FALSE_ALARM = 0.05
"""Probability that a slip is found where there is none."""
_MOST_EVIDENCE = 5.0
"""Of one row, in nats, for or against: a row can be odd for reasons that nobody thought of."""
_LEAST_MARGIN = -100.0
"""Of texts too long for the recording, whose likelihood is none."""
_GAP_FRAMES = 40
"""Length of the stretch that a text explains worst, 0.64 s: two or three short words."""


@dataclass(frozen=True)
class TranscriptScore:
    """What a judge says of one clip's transcript."""

    clip: str
    score: float
    """Margin of the text over those of others, in standard deviations of theirs."""
    gap: tuple[float, float]
    """Start and end in seconds of the stretch that the text explains worst."""
    likelier: str | None
    """Clip whose text explains the recording best; None where it is the own one."""


@dataclass(frozen=True)
class Shift:
    """Rows of the user's table that have the text of another row."""

    first: str
    last: str
    """Clips, in the order of the table."""
    rows: int
    offset: int
    """Rows from a clip's own row to the one that has its text."""


@dataclass(frozen=True)
class TranscriptCheck:
    """What a judge says of a corpus."""

    judge: str
    knowledge: float | None
    """Share of clips whose own text is the likeliest of nine; None with too few clips."""
    scores: tuple[TranscriptScore, ...] = ()
    """In the order of the user's table; none if the judge does not know the language."""
    shifts: tuple[Shift, ...] = ()

    @property
    def knows(self) -> bool:
        """Whether the judge knows the language well enough to be asked."""
        return Judge.is_knowing(self.knowledge)


def check_transcripts(judge: Judge, clips: Sequence[TrainingClip]) -> TranscriptCheck:
    """Compare every clip's text with those of other clips, and with its neighbours' in the table.

    A judge that does not know the language is not asked: `measure_knowledge` tells by own texts
    against those of others.

    Parameters
    ----------
    clips
        In the order of the user's table.
    """
    knowledge = measure_knowledge(judge, clips)
    check = TranscriptCheck(judge.name, knowledge)
    if not check.knows:
        return check
    others = choose_others(clips)
    comparisons, neighbours = [], []
    for place, clip in enumerate(clips):
        near = list_neighbours(clips, place)
        neighbours.append(near)
        extra = [clips[n] for n in near]
        comparisons.append(compare_clip(judge, clip, [clips[n] for n in others[place]], extra))
    spread = measure_spread(comparisons)
    scores = tuple(
        _describe(clips, place, comparison, others[place], neighbours[place], spread)
        for place, comparison in enumerate(comparisons)
        if comparison
    )
    shifts = find_shifts([c.id for c in clips], weigh_offsets(comparisons, neighbours, spread))
    return TranscriptCheck(judge.name, knowledge, scores, tuple(shifts))


def measure_spread(comparisons: Sequence[Comparison | None]) -> float:
    """Return the standard deviation of margins that texts of other clips have by chance."""
    margins = [m for comparison in comparisons if comparison for m in comparison.chance_margins()]
    return max(float(np.std(margins)), 1e-9)


def _describe(
    clips: Sequence[TrainingClip],
    place: int,
    comparison: Comparison,
    others: Sequence[int],
    neighbours: Sequence[int],
    spread: float,
) -> TranscriptScore:
    compared = zip((*others, *neighbours), (*comparison.others, *comparison.extra), strict=True)
    best, score = max(compared, key=lambda pair: pair[1].likelihood)
    likelier = clips[best].id if score.likelihood > comparison.own.likelihood else None
    margin = round(comparison.margin / spread, 3)
    return TranscriptScore(clips[place].id, margin, find_gap(comparison), likelier)


def find_gap(comparison: Comparison) -> tuple[float, float]:
    """Return the stretch in which the own text explains least more than those of others.

    Returns
    -------
    tuple of float
        Start and end in seconds; the whole clip where it is shorter than the stretch.
    """
    own = comparison.own.frame_likelihoods
    usual = np.mean([score.frame_likelihoods for score in comparison.fitting], axis=0)
    if not len(own):
        return 0.0, round(len(usual) * HOP_LENGTH / SAMPLE_RATE, 2)
    width = min(_GAP_FRAMES, len(own))
    sums = np.concatenate([[0.0], np.cumsum(own - usual, dtype=np.float64)])
    start = int(np.argmin(sums[width:] - sums[:-width]))
    return tuple(round(f * HOP_LENGTH / SAMPLE_RATE, 2) for f in (start, start + width))


def weigh_offsets(
    comparisons: Sequence[Comparison | None], neighbours: Sequence[Sequence[int]], spread: float
) -> np.ndarray:
    """Weigh for every clip whether its text stands in another row of the table.

    Two explanations are each compared with it: the clip has its own text, or one of nobody near.
    The margin of a text that is spoken is normally distributed around the median of the best
    margin of each clip, that of another's text around the median of all neighbours' margins.

    Parameters
    ----------
    neighbours
        Rows of the texts in ``extra`` of each comparison.
    spread
        See `measure_spread`.

    Returns
    -------
    numpy.ndarray
        ``(offsets, clips)``, for `NEIGHBOURS`: the logarithm of how much likelier the clip's
        recording makes it than the better one of the two; 0 where there is nothing to compare.
    """
    margins = np.full((1 + len(NEIGHBOURS), len(comparisons)), np.nan)
    for place, (comparison, near) in enumerate(zip(comparisons, neighbours, strict=True)):
        if comparison:
            margins[0, place] = comparison.margin / spread
            for row, score in zip(near, comparison.extra, strict=True):
                margin = (score.likelihood - comparison.usual) / spread
                margins[1 + NEIGHBOURS.index(row - place), place] = max(margin, _LEAST_MARGIN)
    near = margins[1:][np.isfinite(margins[1:])]
    if not len(near):
        return np.zeros((len(NEIGHBOURS), len(comparisons)))
    heard = ~np.isnan(margins[0])
    # What counts is how far right texts fall below theirs by chance, and others' rise above it.
    spoken, width = _centre_and_width(np.nanmax(margins[:, heard], axis=0), 0.16)
    chance, chance_width = _centre_and_width(near, 0.84)
    is_own = spoken / width**2 * (margins[0] - spoken / 2)
    is_there = (spoken - chance) / chance_width**2 * (margins[1:] - (spoken + chance) / 2)
    evidence = np.minimum(is_there, is_there - is_own)
    return np.nan_to_num(np.clip(evidence, -_MOST_EVIDENCE, _MOST_EVIDENCE), nan=0.0)


def _centre_and_width(values: np.ndarray, quantile: float) -> tuple[float, float]:
    """Return the median and the distance to a quantile, not below that of chance margins."""
    centre, end = np.quantile(values, [0.5, quantile])
    return float(centre), max(abs(float(end - centre)), 1.0)


def find_shifts(clips: Sequence[str], evidence: np.ndarray) -> list[Shift]:
    """Find runs of rows that have the text of the row at the same distance.

    A run is taken if a table without one shows as much with a probability below 1 in 20: a
    product of likelihood ratios exceeds r with a probability of at most 1/r, wherever it ends
    (Ville's inequality, 1939), and it may begin at any row, for any offset.

    Parameters
    ----------
    clips
        Ids in the order of the table.
    evidence
        Of `weigh_offsets`.
    """
    evidence = evidence.copy()
    least = np.log(max(evidence.size, 1) / _FALSE_ALARM)
    shifts = []
    while True:
        sums, places = zip(*(_heaviest_run(weights) for weights in evidence), strict=True)
        best = int(np.argmax(sums))
        start, end = places[best]
        if sums[best] < least:
            break
        if np.sum(evidence[best, start:end] > 0) >= SHIFT_RUN:
            found = Shift(clips[start], clips[end - 1], end - start, NEIGHBOURS[best])
            shifts.append((start, found))
        evidence[:, start:end] = -np.inf
    return [shift for _, shift in sorted(shifts, key=lambda pair: pair[0])]


def _heaviest_run(weights: np.ndarray) -> tuple[float, tuple[int, int]]:
    """Return the largest sum of weights in turn, with its start and end (Bentley, 1984)."""
    best, place, total, start = 0.0, (0, 0), 0.0, 0
    for end, weight in enumerate(weights, 1):
        total += weight
        if total <= 0:
            total, start = 0.0, end
        elif total > best:
            best, place = total, (start, end)
    return best, place

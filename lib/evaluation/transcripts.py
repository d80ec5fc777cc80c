"""Are the transcripts those of the clips? Found by an alignment, in any language.

Every clip's own text is compared with texts of other clips that are about as long
(`lib.evaluation.comparison`). A wrong transcript explains its recording no better than theirs do.
Where a table has slipped by a row, the text of a neighbour does so better, for many rows in turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.evaluation.comparison import (
    Comparison,
    Judge,
    choose_others,
    compare_clip,
    measure_knowledge,
)
from lib.mms import HOP_LENGTH, SAMPLE_RATE
from lib.vits.clips import TrainingClip

NEIGHBOURS = (-2, -1, 1, 2)
"""Rows of the user's table whose texts are tried as well, counted from a clip's own."""
SHIFT_RUN = 3
"""Rows in turn that are explained better by the row at the same distance, for a shifted table."""
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
        near = [place + n for n in NEIGHBOURS if 0 <= place + n < len(clips)]
        near = [n for n in near if clips[n].text != clip.text]
        neighbours.append(near)
        extra = [clips[n] for n in near]
        comparisons.append(compare_clip(judge, clip, [clips[n] for n in others[place]], extra))
    spread = measure_spread(comparisons)
    scores = tuple(
        _describe(clips, place, comparison, others[place], neighbours[place], spread)
        for place, comparison in enumerate(comparisons)
        if comparison
    )
    shifts = find_shifts([c.id for c in clips], _best_offsets(comparisons, neighbours, spread))
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


def _best_offsets(
    comparisons: Sequence[Comparison | None], neighbours: Sequence[Sequence[int]], spread: float
) -> list[int]:
    """Return for every clip at which offset in the table its text is; 0 where it has its own.

    A neighbour's text must be better than the own one and stand out among those of others, by two
    standard deviations each: one in forty does by chance.
    """
    offsets = []
    for place, (comparison, near) in enumerate(zip(comparisons, neighbours, strict=True)):
        offset = 0
        if comparison and near:
            best, score = max(
                zip(near, comparison.extra, strict=True), key=lambda pair: pair[1].likelihood
            )
            least = max(comparison.own.likelihood, comparison.usual) + 2 * spread
            if score.likelihood > least:
                offset = best - place
        offsets.append(offset)
    return offsets


def find_shifts(clips: Sequence[str], offsets: Sequence[int]) -> list[Shift]:
    """Find runs of rows that have the text of the row at the same distance.

    A row that says nothing, offset 0, ends a run only with a second one beside it: a short
    utterance in a shifted part may fit any text.

    Parameters
    ----------
    clips
        Ids in the order of the table.
    offsets
        Offset of every clip, 0 for its own row.
    """
    shifts, start = [], 0
    while start < len(offsets):
        offset, end, missed = offsets[start], start + 1, 0
        while offset and end < len(offsets) and missed < 2:
            missed = 0 if offsets[end] == offset else missed + 1
            end += 1
        end -= missed
        rows = sum(o == offset for o in offsets[start:end])
        if offset and rows >= SHIFT_RUN:
            shifts.append(Shift(clips[start], clips[end - 1], end - start, offset))
        start = max(end, start + 1)
    return shifts

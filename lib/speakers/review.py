"""How sure the assignment is, and what the clustering now sees otherwise."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

logger = logging.getLogger(__name__)

# A clip with no other voice to compare with is held against one as near as two people's voices
# usually are (median of 300 pairs: 0.61).
OTHER_VOICE = 0.6

# How much nearer to its own voice than to the next a clip must be for full confidence.
FULL_MARGIN = 0.15

# Fewer of a speaker's clips than this share that cluster elsewhere are strays, not a second voice.
DOUBTFUL_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something the clustering now sees otherwise; told to the user, never acted upon.

    Attributes
    ----------
    reason
        `two_voices` (of one speaker) or `one_voice` (of several).
    speakers
        Whom it concerns.
    groups
        The clips as the clustering would group them now.
    """

    reason: str
    speakers: list[str]
    groups: list[list[str]]


def rate_confidence(
    vectors: np.ndarray, speakers: Sequence[str], certain: np.ndarray
) -> np.ndarray:
    """Return how surely each clip is its speaker's, from 0 to 1.

    The cosine to the speaker's centroid, reckoned without the clip itself, less the cosine to the
    nearest other one, as a share of `FULL_MARGIN`: 0 means that another voice is as near.

    Parameters
    ----------
    vectors
        `(num_clips, 256)`, rows of length one.
    speakers
        Speaker of each clip.
    certain
        `(num_clips,) bool`, clips whose speaker the source names: confidence 1.
    """
    vectors = vectors.astype(np.float64)
    keys, own = np.unique(np.array(speakers), return_inverse=True)
    totals = np.zeros((len(keys), vectors.shape[1]))
    np.add.at(totals, own, vectors)
    others = vectors @ (totals / np.linalg.norm(totals, axis=1, keepdims=True)).T
    others[np.arange(len(own)), own] = -1.0
    rival = np.maximum(others.max(axis=1), OTHER_VOICE)
    rest = totals[own] - vectors
    length = np.linalg.norm(rest, axis=1)
    # The only clip of its speaker is its own centroid.
    alone = length < 1e-6
    cosine = np.einsum("ij,ij->i", vectors, rest) / np.where(alone, 1.0, length)
    margin = np.where(alone, 1.0, cosine) - rival
    return np.where(certain, 1.0, np.clip(margin / FULL_MARGIN, 0.0, 1.0))


def find_doubts(
    clips: Sequence[str], speakers: Sequence[str], voices: np.ndarray, min_clips: int
) -> list[Doubt]:
    """Compare the speakers with the voices that the clustering finds now."""
    table = Counter(zip(speakers, voices.tolist(), strict=True))
    totals = Counter(speakers)
    main = {
        pair
        for pair, count in table.items()
        if count >= max(min_clips, DOUBTFUL_SHARE * totals[pair[0]])
    }
    grouped: dict[tuple[str, int], list[str]] = {pair: [] for pair in sorted(main)}
    for clip, *pair in zip(clips, speakers, voices.tolist(), strict=True):
        if tuple(pair) in main:
            grouped[tuple(pair)].append(clip)
    doubts = []
    for axis, reason in ((0, "two_voices"), (1, "one_voice")):
        for key in sorted({pair[axis] for pair in grouped}):
            pairs = [pair for pair in grouped if pair[axis] == key]
            if len(pairs) > 1:
                concerned = sorted({speaker for speaker, _ in pairs})
                doubts.append(Doubt(reason, concerned, [grouped[pair] for pair in pairs]))
    for doubt in doubts:
        sizes = " and ".join(str(len(group)) for group in doubt.groups)
        logger.warning(
            "%s may be %s: groups of %s clips; ids stay as they are",
            " and ".join(doubt.speakers),
            doubt.reason.replace("_", " "),
            sizes,
        )
    return doubts

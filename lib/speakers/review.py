"""How sure the assignment is, and what the clustering now sees otherwise."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

logger = logging.getLogger(__name__)

# A clip with no other voice to compare with is held against one as near as two people's voices
# usually are (median of 300 pairs: 0.61).
OTHER_VOICE = 0.6

# How much nearer to its own voice than to the next a clip must be for full confidence.
FULL_MARGIN = 0.15

# A message has room for so many clips.
MAX_LISTED = 40

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
    lines
        What to write into the user's file if it is so.
    """

    reason: str
    speakers: list[str]
    groups: list[list[str]]
    lines: str


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
    clips: Sequence[str],
    speakers: Sequence[str],
    voices: np.ndarray,
    min_clips: int,
    settled: Collection[str] = (),
    merged: Mapping[str, str] = MappingProxyType({}),
) -> list[Doubt]:
    """Compare the speakers with the voices that the clustering finds now.

    Parameters
    ----------
    clips, speakers, voices
        Every clip with its speaker and the number of the voice it is in.
    min_clips
        Fewer clips than this are no voice.
    settled, merged
        Clips and speakers about which the user has spoken: no doubt is left there.
    """
    table = Counter(zip(speakers, voices.tolist(), strict=True))
    totals = Counter(speakers)
    main = {
        pair
        for pair, count in table.items()
        if count >= max(min_clips, DOUBTFUL_SHARE * totals[pair[0]])
    }
    grouped: dict[tuple[str, int], list[str]] = {}
    for clip, *pair in zip(clips, speakers, voices.tolist(), strict=True):
        if tuple(pair) in main and clip not in settled:
            grouped.setdefault(tuple(pair), []).append(clip)
    doubts = []
    for axis, reason in ((0, "two_voices"), (1, "one_voice")):
        for key in sorted({pair[axis] for pair in grouped}):
            pairs = sorted(pair for pair in grouped if pair[axis] == key)
            concerned = sorted({merged.get(speaker, speaker) for speaker, _ in pairs})
            if len(pairs) > 1 and (axis == 0 or len(concerned) > 1):
                groups = [grouped[pair] for pair in pairs]
                doubts.append(Doubt(reason, concerned, groups, _suggest(reason, concerned, groups)))
    for doubt in doubts:
        _report(doubt)
    return doubts


def _suggest(reason: str, speakers: Sequence[str], groups: Sequence[Sequence[str]]) -> str:
    """Return the lines of the user's file that would settle a doubt."""
    if reason == "one_voice":
        return f"merge:\n  - [{', '.join(speakers)}]\n"
    smaller = sorted(groups, key=len)[:-1]
    lines = [
        f"  {speakers[0]}-{letter}: [{', '.join(group)}]\n"
        for letter, group in zip("bcdefghijklmnopqrstuvwxyz", reversed(smaller), strict=False)
    ]
    return "".join(["split:\n", *lines])


def _report(doubt: Doubt) -> None:
    listed = sum(map(len, doubt.groups)) <= MAX_LISTED or doubt.reason == "one_voice"
    logger.warning(
        "%s may be %s: groups of %s clips; ids stay as they are. If so, write into "
        "the file that speakers.overrides names%s",
        " and ".join(doubt.speakers),
        doubt.reason.replace("_", " "),
        " and ".join(str(len(group)) for group in doubt.groups),
        f":\n{doubt.lines}" if listed else " the lines that the audition page has to copy",
    )

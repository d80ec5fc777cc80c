"""What a person should review: how sure each assignment is, and where the clusters differ."""

import json
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

# Words that YAML reads as something else than a text.
_YAML_VALUES = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}

logger = logging.getLogger(__name__)

# The cosine of a clip with another speaker is taken to be this at least. It is what two people
# usually have (median of 300 pairs: 0.61), and stands in where there is no other speaker.
OTHER_SPEAKER = 0.6

# How much nearer to its own speaker than to the next a clip must be for full confidence.
FULL_MARGIN = 0.15

# A message has room for so many clips.
MAX_LISTED = 40

# A speaker's clips in another cluster that are less than this share are outlier clips, not a second
# speaker.
OUTLIER_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class ReviewSuggestion:
    """Speakers and clusters that differ. It is told to the user and changes no id.

    Attributes
    ----------
    reason
        `several_speakers` if a speaker has several clusters, `one_speaker` if a cluster has several
        speakers.
    speakers
        Ids of the speakers concerned.
    groups
        The clips concerned, by cluster or by speaker.
    lines
        What to write into the user's file if the clusters are right.
    """

    reason: str
    speakers: list[str]
    groups: list[list[str]]
    lines: str


def rate_confidence(
    vectors: np.ndarray, speakers: Sequence[str], certain: np.ndarray
) -> np.ndarray:
    """Return how sure the speaker of each clip is, from 0 to 1.

    It is the cosine to the speaker's centroid, computed without the clip itself, less the cosine to
    the nearest other centroid, as a share of `FULL_MARGIN`: 0 if another speaker is as near.

    Parameters
    ----------
    vectors
        `(num_clips, 256)`, rows of length one.
    speakers
        Speaker of each clip.
    certain
        `(num_clips,) bool`, clips whose speaker the source or the user names: confidence 1.

    Returns
    -------
    numpy.ndarray
        `(num_clips,) float64`.
    """
    vectors = vectors.astype(np.float64)
    keys, own = np.unique(np.array(speakers), return_inverse=True)
    totals = np.zeros((len(keys), vectors.shape[1]))
    np.add.at(totals, own, vectors)
    others = vectors @ (totals / np.linalg.norm(totals, axis=1, keepdims=True)).T
    others[np.arange(len(own)), own] = -1.0
    rival = np.maximum(others.max(axis=1), OTHER_SPEAKER)
    rest = totals[own] - vectors
    length = np.linalg.norm(rest, axis=1)
    # A speaker's only clip has no others to compare with; it counts as a cosine of 1.
    alone = length < 1e-6
    cosine = np.einsum("ij,ij->i", vectors, rest) / np.where(alone, 1.0, length)
    margin = np.where(alone, 1.0, cosine) - rival
    return np.where(certain, 1.0, np.clip(margin / FULL_MARGIN, 0.0, 1.0))


def find_review_suggestions(
    clips: Sequence[str],
    speakers: Sequence[str],
    clusters: np.ndarray,
    min_clips: int,
    assigned: Collection[str] = (),
    merged: Mapping[str, str] = MappingProxyType({}),
) -> list[ReviewSuggestion]:
    """Compare the speakers with the clusters of this run, and log where they differ.

    Parameters
    ----------
    clips, speakers, clusters
        Every clip with its speaker and `(num_clips,) int64`, the number of its cluster.
    min_clips
        Fewer clips than this are outlier clips.
    assigned
        Clips that the user assigned: they need no review.
    merged
        The id that a speaker goes under, of those that the user merged.
    """
    shared = Counter(zip(speakers, clusters.tolist(), strict=True))
    totals = Counter(speakers)
    main = {
        pair
        for pair, count in shared.items()
        if count >= max(min_clips, OUTLIER_SHARE * totals[pair[0]])
    }
    grouped: dict[tuple[str, int], list[str]] = {}
    for clip, *pair in zip(clips, speakers, clusters.tolist(), strict=True):
        if tuple(pair) in main and clip not in assigned:
            grouped.setdefault(tuple(pair), []).append(clip)
    suggestions = []
    for axis, reason in ((0, "several_speakers"), (1, "one_speaker")):
        for key in sorted({pair[axis] for pair in grouped}):
            pairs = sorted(pair for pair in grouped if pair[axis] == key)
            concerned = sorted({merged.get(speaker, speaker) for speaker, _ in pairs})
            if len(pairs) > 1 and (axis == 0 or len(concerned) > 1):
                groups = [grouped[pair] for pair in pairs]
                lines = _write_lines(reason, concerned, groups)
                suggestions.append(ReviewSuggestion(reason, concerned, groups, lines))
    for suggestion in suggestions:
        _log(suggestion)
    return suggestions


def _write_lines(reason: str, speakers: Sequence[str], groups: Sequence[Sequence[str]]) -> str:
    """Return the lines of the user's file that follow a suggestion."""
    if reason == "one_speaker":
        return f"merge:\n  - {_write_list(speakers)}\n"
    smaller = sorted(groups, key=len)[:-1]
    lines = [
        f"  {speakers[0]}-{letter}: {_write_list(group)}\n"
        for letter, group in zip("bcdefghijklmnopqrstuvwxyz", reversed(smaller), strict=False)
    ]
    return "".join(["split:\n", *lines])


def _write_list(names: Iterable[str]) -> str:
    """Write names as a list of YAML, in quotes where they would be numbers or booleans."""
    return f"[{', '.join(map(_write_name, names))}]"


def _write_name(name: str) -> str:
    is_plain = re.fullmatch(r"[A-Za-z_][\w.-]*", name) and name.lower() not in _YAML_VALUES
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _log(suggestion: ReviewSuggestion) -> None:
    few_clips = sum(map(len, suggestion.groups)) <= MAX_LISTED
    listed = few_clips or suggestion.reason == "one_speaker"
    logger.warning(
        "%s may be %s: groups of %s clips; ids stay as they are. If so, write into "
        "the file that speakers.overrides names%s",
        " and ".join(suggestion.speakers),
        suggestion.reason.replace("_", " "),
        " and ".join(str(len(group)) for group in suggestion.groups),
        f":\n{suggestion.lines}"
        if listed
        else " the lines that the speaker review page has to copy",
    )

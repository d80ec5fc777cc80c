"""What a person should review: how sure each assignment is, where clusters differ, and doubts.

A doubt is what the similarities do not settle: whether two speakers are one person, or one speaker
two. It changes no id. The user settles it by lines in the overrides file, and is not asked again.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from lib.config.speakers import SpeakerSettings
from lib.speakers.clustering import Group, similarity, similarity_table

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

# How far below the threshold the similarity of two speakers is in doubt. Halves of one voice, one
# as it was recorded and one as by telephone, have 0.68 to 0.83 in CAM++; of 190 pairs of people 19
# have 0.66 and more. Where no session has clips of both, another day may be all that differs.
DOUBT_MARGIN = 0.12
SESSION_MARGIN = 0.16

# Doubts that are reported; those who have more speakers have more chance similarities.
MAX_DOUBTS = 50
# Pairs of clips to hear, for every doubt.
DOUBT_PAIRS = 3


@dataclass(frozen=True, slots=True)
class ReviewSuggestion:
    """Speakers to review. It is told to the user and changes no id.

    Attributes
    ----------
    reason
        `several_speakers` if a speaker has several clusters, `one_speaker` if a cluster has several
        speakers. Doubts: `unsettled_pair` of two speakers who may be one person,
        `unsettled_speaker` of one who may be two.
    speakers
        Ids of the speakers concerned.
    groups
        The clips concerned, by cluster or by speaker; of a doubt, those to hear.
    lines
        What to write into the user's file if the clusters are right; of a doubt, if it is right.
    settle
        What to write if a doubt is wrong, so that it is not told again.
    similarities
        Of a doubt: by encoder, from -1 to 1, corrected for noise as by `similarity`.
    threshold
        Of a doubt: similarity from which they are one speaker.
    share_session
        Whether a session has clips of both; None if the source names no sessions.
    """

    reason: str
    speakers: list[str]
    groups: list[list[str]]
    lines: str
    settle: str = ""
    similarities: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None
    share_session: bool | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The embeddings that decided who is one speaker, with the speakers that came of it.

    Attributes
    ----------
    settings
        `settings.encoder` is that of the embeddings.
    vectors
        By encoder, `(num_clips, dimensions)`; the clips that the deciding encoder heard.
    clips, speakers
        Their ids, and their speakers, after the user's overrides.
    parts
        `(num_clips,) int64`, their proposed clusters; all 0 where none were proposed.
    solid
        `(num_clips,) bool`, clips with enough speech, whose speaker neither source nor user names.
    """

    settings: SpeakerSettings
    vectors: Mapping[str, np.ndarray]
    clips: Sequence[str]
    speakers: Sequence[str]
    parts: np.ndarray
    solid: np.ndarray


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


def find_doubts(
    evidence: Evidence,
    sessions: Mapping[str, str],
    members: Mapping[tuple[str, int], Sequence[str]],
    known: Collection[frozenset[str]] = (),
) -> list[ReviewSuggestion]:
    """Return what the similarities do not settle, the least certain first, and log it.

    Parameters
    ----------
    sessions
        Session by clip, as the source names them.
    members
        All clips of each speaker in each part, also those that were not heard.
    known
        Sets of speakers of whom a review suggestion tells already.
    """
    rows: dict[str, np.ndarray] = {}
    for speaker in sorted(set(evidence.speakers)):
        own = np.array([who == speaker for who in evidence.speakers]) & evidence.solid
        if own.any():
            rows[speaker] = np.flatnonzero(own)
    found = [*_doubt_pairs(evidence, rows, sessions), *_doubt_speakers(evidence, rows, members)]
    found = [doubt for doubt in found if frozenset(doubt.speakers) not in set(known)]
    encoder, threshold = evidence.settings.encoder, evidence.settings.threshold
    found.sort(key=lambda doubt: (abs(threshold - doubt.similarities[encoder]), doubt.speakers))
    if found:
        logger.warning(
            "not settled by the similarities: %s (%d in all). The speaker review page plays them, "
            "and python -m lib.speakers doubts lists them",
            ", ".join(dict.fromkeys(" with ".join(doubt.speakers) for doubt in found[:3])),
            len(found),
        )
    return found[:MAX_DOUBTS]


def _doubt_pairs(
    evidence: Evidence, rows: Mapping[str, np.ndarray], sessions: Mapping[str, str]
) -> list[ReviewSuggestion]:
    """Return the pairs of speakers who may be one person."""
    if len(rows) < 2:
        return []
    speakers, encoder = list(rows), evidence.settings.encoder
    groups = [_gather(evidence.vectors[encoder], rows[speaker]) for speaker in speakers]
    table = np.triu(similarity_table(groups), 1)
    lowest = evidence.settings.threshold - max(DOUBT_MARGIN, SESSION_MARGIN if sessions else 0)
    doubts = []
    for one, other in np.argwhere(table >= lowest).tolist():
        pair = [speakers[one], speakers[other]]
        shared = _share_session(evidence, [rows[speaker] for speaker in pair], sessions)
        margin = SESSION_MARGIN if shared is False else DOUBT_MARGIN
        if table[one, other] >= evidence.settings.threshold - margin:
            lines = f"merge:\n  - {_write_list(pair)}\n", f"apart:\n  - {_write_list(pair)}\n"
            both = [rows[speaker] for speaker in pair]
            doubts.append(_describe_doubt(evidence, "unsettled_pair", pair, both, lines, shared))
    return doubts


def _doubt_speakers(
    evidence: Evidence,
    rows: Mapping[str, np.ndarray],
    members: Mapping[tuple[str, int], Sequence[str]],
) -> list[ReviewSuggestion]:
    """Return the speakers of whom a part is less similar to the rest than one person is."""
    settings, doubts = evidence.settings, []
    vectors = evidence.vectors[settings.encoder]
    for speaker, own in rows.items():
        parts, found = evidence.parts[own], []
        for part in np.unique(parts).tolist():
            sides = [own[parts != part], own[parts == part]]
            if min(map(len, sides)) >= settings.min_clips:
                value = similarity(*(_gather(vectors, side) for side in sides))
                # Of two parts each is the other's rest: the smaller one is told.
                found.append((round(value, 6), len(sides[1]), part, sides))
        value, _, part, sides = min(found, key=lambda row: row[:3], default=(1.0, 0, 0, []))
        if value < settings.threshold:
            clips = _write_list(members[speaker, part])
            lines = f"split:\n  {speaker}-b: {clips}\n", f"together:\n  - {speaker}\n"
            doubts.append(_describe_doubt(evidence, "unsettled_speaker", [speaker], sides, lines))
    return doubts


def _describe_doubt(
    evidence: Evidence,
    reason: str,
    speakers: list[str],
    sides: Sequence[np.ndarray],
    lines: tuple[str, str],
    share_session: bool | None = None,
) -> ReviewSuggestion:
    """Return a doubt with the clips of either side that are most like the whole side."""
    decisive = evidence.vectors[evidence.settings.encoder]
    groups = []
    for side in sides:
        typical = np.argsort(-(decisive[side] @ decisive[side].sum(axis=0)), kind="stable")
        groups.append([evidence.clips[row] for row in side[typical[:DOUBT_PAIRS]]])
    similarities = {
        encoder: round(similarity(*(_gather(vectors, side) for side in sides)), 3)
        for encoder, vectors in evidence.vectors.items()
    }
    threshold = evidence.settings.threshold
    return ReviewSuggestion(
        reason, speakers, groups, *lines, similarities, threshold, share_session
    )


def _share_session(
    evidence: Evidence, sides: Sequence[np.ndarray], sessions: Mapping[str, str]
) -> bool | None:
    """Return whether a session has clips of both sides; None if one has clips without a session."""
    named = [{sessions.get(evidence.clips[row]) for row in side} for side in sides]
    return None if any(None in own for own in named) else not named[0].isdisjoint(named[1])


def _gather(vectors: np.ndarray, rows: np.ndarray) -> Group:
    return Group(len(rows), vectors[rows].astype(np.float64).sum(axis=0))


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

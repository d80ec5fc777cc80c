"""The tables of the room: written by `assign_speakers`, read by the dataset and the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lib.files import atomic_path, read_json, write_json
from lib.speakers.overrides import Overrides, ResolvedOverrides, resolve_overrides
from lib.speakers.registry import Speaker
from lib.speakers.shard import DIMENSIONS, Embeddings
from lib.tables import read_table, write_table

# The pages and the dataset read these tables without having scikit-learn.
if TYPE_CHECKING:
    from lib.speakers.review import ReviewSuggestion

ASSIGNMENT_COLUMNS = ("clip", "speaker_id", "confidence", "intra_clip_similarity")
EXCLUDED_COLUMNS = ("clip", "detail")
MAP_COLUMNS = ("clip", "speaker_id", "x", "y")
DOUBTS = ("unsettled_pair", "unsettled_speaker")
ENCODERS = ("campplus", "resemblyzer")
DOUBT_COLUMNS = ("doubt", "speakers", *ENCODERS, "share_session", "clips", "other_clips")
DOUBT_COLUMNS += ("lines_if_right", "lines_if_wrong")
# Characters of a line of YAML that a terminal shows; the table has it whole.
MAX_LINE = 90


@dataclass(frozen=True, slots=True)
class Assignment:
    """The speaker of one clip.

    Attributes
    ----------
    speaker_id
        Id of the speaker.
    confidence
        How sure that is, from 0 to 1.
    intra_clip_similarity
        Similarity of the clip's two parts where they differ most; None where it is too short to
        tell.
    """

    speaker_id: str
    confidence: float
    intra_clip_similarity: float | None = None


def count_clips(
    speakers: Mapping[str, Speaker], vectors: np.ndarray, final: Sequence[str]
) -> dict[str, Speaker]:
    """Return the speakers with number of clips and centroid by the `final` speaker of each clip."""
    rows = group_rows(final)
    return {
        key: replace(row, clips=len(rows[key]), centroid=find_centroid(vectors[rows[key]]))
        if key in rows
        else replace(row, clips=0)
        for key, row in sorted(speakers.items())
    }


def write_assignments(
    embeddings: Embeddings, speakers: Sequence[str], confidence: np.ndarray, path: Path
) -> None:
    """Write the speaker of every clip."""
    rows = (
        (clip, speaker, f"{sure:.4f}", "" if similarity is None else f"{similarity:.4f}")
        for clip, speaker, sure, similarity in zip(
            embeddings.clips, speakers, confidence, embeddings.intra_clip_similarities, strict=True
        )
    )
    write_table(path, ASSIGNMENT_COLUMNS, rows)


def write_speaker_map(
    clips: Sequence[str], speakers: Sequence[str], places: np.ndarray, path: Path
) -> None:
    """Write the place of every clip on a plane, `(num_clips, 2)`."""
    rows = (
        (clip, speaker, f"{x:.5f}", f"{y:.5f}")
        for clip, speaker, (x, y) in zip(clips, speakers, places, strict=True)
    )
    write_table(path, MAP_COLUMNS, rows)


def write_speakers(
    speakers: Mapping[str, Speaker],
    resolved: ResolvedOverrides,
    suggestions: Sequence["ReviewSuggestion"],
    sessions: Mapping[str, object],
    path: Path,
) -> None:
    """Write the speakers, who is merged and excluded, review suggestions, numbers of sessions."""
    write_json(
        path,
        {
            "speakers": {key: asdict(row) for key, row in speakers.items()},
            "merged": dict(resolved.merged),
            "excluded": sorted(resolved.excluded_speakers),
            "review_suggestions": [asdict(suggestion) for suggestion in suggestions],
            "sessions": dict(sessions),
        },
    )


def name_speakers(speakers: Path, overrides: Overrides, registry: Path, doubts: Path) -> None:
    """Write the speakers with the user's names, and the doubts that the user has not settled.

    Both stand apart from the assignment: a new name, or a doubt that is settled, clusters nothing
    and trains nothing.

    Parameters
    ----------
    speakers
        JSON that `write_speakers` wrote.
    overrides
        The user's overrides; of them `names`, `apart` and `together` count here.
    registry
        JSON to write: the same with these names, and without what is settled.
    doubts
        Table to write: the doubts that are left.

    Raises
    ------
    OverridesError
        If a speaker does not exist, or two would have one name.
    """
    content = read_json(speakers)
    known = {key: row["name"] for key, row in content["speakers"].items()}
    wanted = Overrides(names=overrides.names, apart=overrides.apart, together=overrides.together)
    resolved = resolve_overrides(wanted, (), (), known)
    for key, name in resolved.names.items():
        content["speakers"][key]["name"] = name
    content["review_suggestions"] = [
        row for row in content["review_suggestions"] if not _is_settled(row, resolved)
    ]
    write_json(registry, content)
    rows = [row for row in content["review_suggestions"] if row["reason"] in DOUBTS]
    write_table(doubts, DOUBT_COLUMNS, map(_list_doubt, rows))


def _is_settled(suggestion: Mapping[str, Any], resolved: ResolvedOverrides) -> bool:
    """Return whether the user's lines answer a suggestion."""
    several = len(suggestion["speakers"]) > 1
    return any(
        set(suggestion["speakers"]) <= group and (len(group) > 1) == several
        for group in resolved.settled
    )


def describe_doubt(row: Mapping[str, str]) -> str:
    """Return a row of the table of doubts as lines for a terminal; long lines are cut."""
    question = {
        "unsettled_pair": "{} may be one person",
        "unsettled_speaker": "{} may be two people",
    }[row["doubt"]].format(row["speakers"].replace(",", " and "))
    figures = [f"{key} {row[key]}" for key in ENCODERS if row[key]]
    figures += ["no session has both"] * (row["share_session"] == "no")
    pairs = zip(row["clips"].split(","), row["other_clips"].split(","), strict=False)
    heard = "".join(f"    {one}   {other}\n" for one, other in pairs)
    lines = [line for key in ("lines_if_right", "lines_if_wrong") for line in _indent(row[key])]
    return f"{question} ({', '.join(figures)}). Compare\n{heard}" + "\n".join(lines)


def _indent(lines: str) -> list[str]:
    cut = (
        line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..." for line in lines.splitlines()
    )
    return [f"  {line}" for line in cut]


def _list_doubt(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a doubt of speakers.json as a row of the table."""
    similarities = row["similarities"]
    shared = {None: "", True: "yes", False: "no"}[row["share_session"]]
    return (
        row["reason"],
        ",".join(row["speakers"]),
        *(f"{similarities[key]:.3f}" if key in similarities else "" for key in ENCODERS),
        shared,
        *(",".join(group) for group in row["groups"]),
        row["lines"],
        row["settle"],
    )


def write_excluded(speakers: Mapping[str, str], resolved: ResolvedOverrides, path: Path) -> None:
    """Write the clips that the user excludes, and by which line.

    Parameters
    ----------
    speakers
        Speaker by clip, of every clip that has one.
    """
    by_speaker = {
        clip: resolved.excluded_speakers[speaker]
        for clip, speaker in speakers.items()
        if speaker in resolved.excluded_speakers
    }
    rows = sorted({**by_speaker, **resolved.excluded_clips}.items())
    write_table(path, EXCLUDED_COLUMNS, rows)


def read_excluded(path: Path) -> dict[str, str]:
    """Read the clips that the user excludes, with the line that does."""
    return {row["clip"]: row["detail"] for row in read_table(path, EXCLUDED_COLUMNS)}


def read_assignments(path: Path) -> dict[str, Assignment]:
    """Read the speaker of every clip."""
    return {
        row["clip"]: Assignment(
            row["speaker_id"],
            float(row["confidence"]),
            float(row["intra_clip_similarity"]) if row["intra_clip_similarity"] else None,
        )
        for row in read_table(path, ASSIGNMENT_COLUMNS)
    }


def group_rows(speakers: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of every speaker."""
    rows: dict[str, list[int]] = {}
    for row, speaker in enumerate(speakers):
        rows.setdefault(speaker, []).append(row)
    return rows


def find_centroid(vectors: np.ndarray) -> tuple[float, ...]:
    """Return the mean direction of embeddings, of length one."""
    total = vectors.astype(np.float64).sum(axis=0)
    return tuple(np.round(total / np.linalg.norm(total), 6).tolist())


def write_centroids(speakers: Mapping[str, Speaker], path: Path) -> None:
    """Write the centroid of every speaker who has clips."""
    rows = [(key, row) for key, row in sorted(speakers.items()) if row.clips]
    flat = np.array([row.centroid for _, row in rows], dtype=np.float32).reshape(-1)
    table = pa.table(
        {
            "speaker_id": pa.array([key for key, _ in rows], pa.string()),
            "clips": pa.array([row.clips for _, row in rows], pa.int64()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat), DIMENSIONS),
        }
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)

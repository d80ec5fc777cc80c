"""What the assignment leaves for others to read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.decomposition import PCA

from lib.files import atomic_path, write_json
from lib.speakers.registry import Speaker
from lib.speakers.review import Doubt
from lib.speakers.ruling import Ruling
from lib.speakers.shard import DIMENSIONS, Embeddings
from lib.tables import read_table, write_table

ASSIGNMENT_COLUMNS = ("clip", "speaker_id", "confidence", "agreement")
EXCLUDED_COLUMNS = ("clip", "detail")


@dataclass(frozen=True, slots=True)
class Assignment:
    """The speaker of one clip.

    Attributes
    ----------
    speaker_id
        Whose voice it is.
    confidence
        How sure that is, from 0 to 1.
    agreement
        How alike the clip's beginning and end sound; None where it is too short to tell.
    """

    speaker_id: str
    confidence: float
    agreement: float | None = None


def count_clips(
    speakers: Mapping[str, Speaker], vectors: np.ndarray, final: Sequence[str]
) -> dict[str, Speaker]:
    """Return the speakers with the clips and the voice that are theirs in the end."""
    rows = group_rows(final)
    return {
        key: replace(row, clips=len(rows[key]), centroid=find_centroid(vectors[rows[key]]))
        if key in rows
        else replace(row, clips=0)
        for key, row in sorted(speakers.items())
    }


def write_assignment(
    embeddings: Embeddings,
    speakers: Sequence[str],
    confidence: np.ndarray,
    assignments: Path,
    speaker_map: Path,
) -> None:
    """Write the speaker of every clip, and the map of the voices."""
    clips = embeddings.clips
    rated = (
        (clip, speaker, f"{sure:.4f}", "" if agreement is None else f"{agreement:.4f}")
        for clip, speaker, sure, agreement in zip(
            clips, speakers, confidence, embeddings.agreements, strict=True
        )
    )
    write_table(assignments, ASSIGNMENT_COLUMNS, rated)
    places = (
        (clip, speaker, f"{x:.5f}", f"{y:.5f}")
        for clip, speaker, (x, y) in zip(clips, speakers, project(embeddings.vectors), strict=True)
    )
    write_table(speaker_map, ("clip", "speaker_id", "x", "y"), places)


def write_voices(
    speakers: Mapping[str, Speaker], ruling: Ruling, doubts: Sequence[Doubt], path: Path
) -> None:
    """Write who there is, what the user's word did to it, and what the clustering doubts."""
    write_json(
        path,
        {
            "speakers": {key: asdict(row) for key, row in speakers.items()},
            "merged": ruling.merged,
            "excluded": sorted(ruling.excluded_speakers),
            "doubts": [asdict(doubt) for doubt in doubts],
        },
    )


def write_excluded(speakers: Mapping[str, str], ruling: Ruling, path: Path) -> None:
    """Write the clips that the user leaves out, and by which line.

    Parameters
    ----------
    speakers
        Of every clip that has one.
    """
    by_speaker = {
        clip: ruling.excluded_speakers[speaker]
        for clip, speaker in speakers.items()
        if speaker in ruling.excluded_speakers
    }
    rows = sorted({**by_speaker, **ruling.excluded_clips}.items())
    write_table(path, EXCLUDED_COLUMNS, rows)


def read_excluded(path: Path) -> dict[str, str]:
    """Read which clips the user leaves out, with the line that says so."""
    return {row["clip"]: row["detail"] for row in read_table(path, EXCLUDED_COLUMNS)}


def read_assignments(path: Path) -> dict[str, Assignment]:
    """Read the speaker of every clip."""
    return {
        row["clip"]: Assignment(
            row["speaker_id"],
            float(row["confidence"]),
            float(row["agreement"]) if row["agreement"] else None,
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
    """Return the mean direction of vectors, of length one."""
    total = vectors.astype(np.float64).sum(axis=0)
    return tuple(np.round(total / np.linalg.norm(total), 6).tolist())


def project(vectors: np.ndarray) -> np.ndarray:
    """Return the place of every vector on the plane of largest variance, `(num_clips, 2)`."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2))
    # A solver of its own choice, by size, would be random and move the map between runs.
    return PCA(n_components=2, svd_solver="covariance_eigh").fit_transform(vectors)


def write_centroids(speakers: Mapping[str, Speaker], path: Path) -> None:
    """Write the voice of every speaker who has clips."""
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

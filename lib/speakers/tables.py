"""What the assignment leaves for others to read."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.decomposition import PCA

from lib.files import atomic_path, write_json
from lib.speakers.registry import Registry
from lib.speakers.review import Doubt
from lib.speakers.shard import DIMENSIONS, Embeddings


@dataclass(frozen=True, slots=True)
class Assignment:
    """The speaker of one clip, and how sure that is, from 0 to 1."""

    speaker_id: str
    confidence: float


def write_outputs(
    embeddings: Embeddings,
    speakers: Sequence[str],
    confidence: np.ndarray,
    record: Registry,
    doubts: Sequence[Doubt],
    *,
    assignments: Path,
    centroids: Path,
    registry: Path,
    speaker_map: Path,
) -> None:
    """Write the assignment, the centroids, the registry and the map of the speakers."""
    clips = embeddings.clips
    rated = ((c, s, f"{r:.4f}") for c, s, r in zip(clips, speakers, confidence, strict=True))
    _write_table(assignments, ("clip", "speaker_id", "confidence"), rated)
    places = (
        (clip, speaker, f"{x:.5f}", f"{y:.5f}")
        for clip, speaker, (x, y) in zip(clips, speakers, project(embeddings.vectors), strict=True)
    )
    _write_table(speaker_map, ("clip", "speaker_id", "x", "y"), places)
    _write_centroids(centroids, record)
    write_json(
        registry,
        {
            "speakers": {key: asdict(row) for key, row in sorted(record.speakers.items())},
            "doubts": [asdict(doubt) for doubt in doubts],
        },
    )


def read_assignments(path: Path) -> dict[str, Assignment]:
    """Read the speaker of every clip."""
    lines = path.read_text("utf-8").splitlines()
    expected = "clip\tspeaker_id\tconfidence"
    if not lines or lines[0] != expected:
        raise ValueError(
            f"{path}: its first line is {lines[:1]}, expected the columns {expected!r}: "
            "delete it and run again"
        )
    rows = (line.split("\t") for line in lines[1:])
    return {clip: Assignment(speaker, float(value)) for clip, speaker, value in rows}


def project(vectors: np.ndarray) -> np.ndarray:
    """Return the place of every vector on the plane of largest variance, `(num_clips, 2)`."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2))
    # A solver of its own choice, by size, would be random and move the map between runs.
    return PCA(n_components=2, svd_solver="covariance_eigh").fit_transform(vectors)


def _write_centroids(path: Path, record: Registry) -> None:
    rows = [(key, row) for key, row in sorted(record.speakers.items()) if row.clips]
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


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = ("\t".join(row) + "\n" for row in (header, *rows))
    with atomic_path(path) as temporary:
        temporary.write_text("".join(lines), "utf-8")

"""Speaker embeddings on disk: one Parquet file per shard of clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lib.files import atomic_path

DIMENSIONS = 256
MADE_WITH = b"made_with"  # key in the metadata of the Parquet schema

SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("digest", pa.string()),
        ("duration", pa.float64()),
        ("voiced", pa.float64()),
        ("embedding", pa.list_(pa.float32(), DIMENSIONS)),
        ("tiled", pa.list_(pa.float32(), DIMENSIONS)),
        ("intra_clip_similarity", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Embedding:
    """The speaker embedding of one clip.

    Attributes
    ----------
    clip
        Id of the clip.
    digest
        Hex digest of the WAV file that the embedding was computed from.
    duration
        Length of the WAV in seconds.
    voiced
        Seconds that the voice activity detector took for speech.
    vector
        `(256,) float32`, of length one: what resemblyzer gives for the clip.
    tiled
        The same for the clip's speech tiled: repeated until it fills the encoder's window of 1.6 s.
        Equal to `vector` where the speech is that long.
    intra_clip_similarity
        Similarity of the clip's two parts where they differ most (`measure_intra_clip_similarity`);
        None where the clip is too short to tell.
    """

    clip: str
    digest: str
    duration: float
    voiced: float
    vector: np.ndarray
    tiled: np.ndarray
    intra_clip_similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The speaker embeddings of many clips, as columns, for clustering.

    These are the tiled ones. Resemblyzer fills the window of a short clip with silence, which moves
    its embedding towards that of silence. Real clips with under 0.8 s of speech found their speaker
    in 60% of cases with that embedding and in 80% with the tiled one (0.8 to 1.2 s: 92% and 100%).

    Attributes
    ----------
    clips
        Ids of the clips.
    digests
        Of their WAV files.
    vectors
        `(num_clips, 256) float32`, rows of length one.
    voiced
        `(num_clips,) float64`, seconds of speech in each clip.
    intra_clip_similarities
        Of each clip, None where it is too short to tell.
    """

    clips: list[str]
    digests: list[str]
    vectors: np.ndarray
    voiced: np.ndarray
    intra_clip_similarities: list[float | None]


def write_shard(shard: Path, embeddings: Sequence[Embedding], made_with: str = "") -> None:
    """Write the embeddings of a shard, sorted by clip; none give a file without rows.

    Parameters
    ----------
    made_with
        What the embeddings depend on besides the clips, for `read_made_with`.
    """
    rows = sorted(embeddings, key=lambda item: item.clip)
    columns = [
        pa.array([row.clip for row in rows], pa.string()),
        pa.array([row.digest for row in rows], pa.string()),
        pa.array([row.duration for row in rows], pa.float64()),
        pa.array([row.voiced for row in rows], pa.float64()),
        _vector_column([row.vector for row in rows]),
        _vector_column([row.tiled for row in rows]),
        pa.array([row.intra_clip_similarity for row in rows], pa.float64()),
    ]
    schema = SCHEMA.with_metadata({MADE_WITH: made_with})
    with atomic_path(shard) as temporary:
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), temporary)


def read_made_with(shard: Path) -> str:
    """Return what `write_shard` was told that the embeddings depend on; "" for an older file."""
    return (_read_table(shard).schema.metadata or {}).get(MADE_WITH, b"").decode()


def read_shard(shard: Path) -> dict[str, Embedding]:
    """Read the embeddings of a shard, by clip."""
    table = _read_table(shard)
    vectors = (_matrix(table, "embedding"), _matrix(table, "tiled"))
    columns = (table.column(name).to_pylist() for name in ("clip", "digest", "duration", "voiced"))
    similarities = table.column("intra_clip_similarity").to_pylist()
    rows = (Embedding(*row) for row in zip(*columns, *vectors, similarities, strict=True))
    return {row.clip: row for row in rows}


def read_embeddings(shards: Sequence[Path]) -> Embeddings:
    """Read the embeddings of all shards, sorted by clip.

    Raises
    ------
    ValueError
        If a file is no such table, or a clip stands in two.
    """
    table = pa.concat_tables([_read_table(shard) for shard in shards] or [SCHEMA.empty_table()])
    table = table.sort_by("clip")
    clips = table.column("clip").to_pylist()
    twice = sorted({a for a, b in zip(clips, clips[1:], strict=False) if a == b})
    if twice:
        raise ValueError(
            f"{len(twice)} clips stand in more than one embedding shard, the first is {twice[0]}; "
            f"expected each in one of {len(shards)} shards: delete the embeddings folder and rerun"
        )
    digests = table.column("digest").to_pylist()
    voiced = table.column("voiced").to_numpy()
    similarities = table.column("intra_clip_similarity").to_pylist()
    return Embeddings(clips, digests, _matrix(table, "tiled"), voiced, similarities)


def _read_table(shard: Path) -> pa.Table:
    try:
        table = pq.read_table(shard)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{shard}: not a readable parquet file ({error}); delete it and run again"
        ) from error
    if table.schema.names != SCHEMA.names:
        raise ValueError(
            f"{shard}: has the columns {table.schema.names}, expected {SCHEMA.names}; "
            "delete it and run again"
        )
    return table


def _vector_column(vectors: Sequence[np.ndarray]) -> pa.FixedSizeListArray:
    flat = np.array(vectors, dtype=np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), DIMENSIONS)


def _matrix(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name).combine_chunks()
    return column.flatten().to_numpy().reshape(-1, DIMENSIONS)

"""Speaker embeddings on disk: a Parquet file per shard of clips, and one of the second opinion."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lib.files import atomic_path

logger = logging.getLogger(__name__)

DIMENSIONS = 256
CAMPPLUS_DIMENSIONS = 192
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
        ("campplus", pa.list_(pa.float32(), CAMPPLUS_DIMENSIONS)),
    ]
)
OPINION_SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("digest", pa.string()),
        ("proposed", pa.int64()),
        ("campplus", pa.list_(pa.float32(), CAMPPLUS_DIMENSIONS)),
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
    campplus
        `(192,) float32`, of length one: what CAM++ gives for the clip; None where only resemblyzer
        was asked.
    """

    clip: str
    digest: str
    duration: float
    voiced: float
    vector: np.ndarray
    tiled: np.ndarray
    intra_clip_similarity: float | None = None
    campplus: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The speaker embeddings of many clips, as columns, for clustering.

    Those of resemblyzer are the tiled ones. Resemblyzer fills the window of a short clip with
    silence, which moves its embedding towards that of silence. Real clips with under 0.8 s of
    speech found their speaker in 60% of cases with that embedding and in 80% with the tiled one
    (0.8 to 1.2 s: 92% and 100%).

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
    campplus
        `(num_clips, 192) float32`, rows of length one; None if only resemblyzer was asked.
    """

    clips: list[str]
    digests: list[str]
    vectors: np.ndarray
    voiced: np.ndarray
    intra_clip_similarities: list[float | None]
    campplus: np.ndarray | None = None

    def compared(self, encoder: str) -> np.ndarray:
        """Return the embeddings of the encoder by which clips are compared, one row a clip.

        Raises
        ------
        ValueError
            If the clips were embedded without it.
        """
        if encoder == "resemblyzer":
            return self.vectors
        if self.campplus is None:
            raise ValueError(
                f"speakers.encoder is {encoder}, but these clips were embedded by resemblyzer "
                "alone: embed them again with this encoder"
            )
        return self.campplus


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What CAM++ heard of some clips.

    Attributes
    ----------
    proposed
        `(num_clips,) int64`, the proposed cluster of every clip, in the order of the embeddings.
    heard
        `(num_heard,) int64`, rows of the clips that were heard, ascending.
    vectors
        `(num_heard, 192) float32`, their embeddings, rows of length one.
    """

    proposed: np.ndarray
    heard: np.ndarray
    vectors: np.ndarray


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
        pa.array([row.campplus for row in rows], SCHEMA.field("campplus").type),
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
    second = _campplus(table)
    second = [None] * table.num_rows if second is None else second
    rows = (Embedding(*row) for row in zip(*columns, *vectors, similarities, second, strict=True))
    return {row.clip: row for row in rows}


def read_embeddings(shards: Sequence[Path]) -> Embeddings:
    """Read the embeddings of all shards, sorted by clip.

    Raises
    ------
    ValueError
        If a file is no such table, or a clip stands in two, or some clips have an embedding of
        CAM++ and others have none.
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
    vectors = _matrix(table, "tiled")
    return Embeddings(clips, digests, vectors, voiced, similarities, _campplus(table))


def write_opinion(
    path: Path, embeddings: Embeddings, opinion: SecondOpinion, made_with: str
) -> None:
    """Write a second opinion on all clips of the embeddings."""
    vectors: list[np.ndarray | None] = [None] * len(embeddings.clips)
    for row, vector in zip(opinion.heard, opinion.vectors, strict=True):
        vectors[row] = vector
    columns = [
        pa.array(embeddings.clips, pa.string()),
        pa.array(embeddings.digests, pa.string()),
        pa.array(opinion.proposed, pa.int64()),
        pa.array(vectors, OPINION_SCHEMA.field("campplus").type),
    ]
    schema = OPINION_SCHEMA.with_metadata({MADE_WITH: made_with})
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), temporary)


def read_opinion(path: Path, embeddings: Embeddings) -> SecondOpinion:
    """Read the second opinion on these embeddings.

    Raises
    ------
    ValueError
        If the file is no such table, or is of other clips.
    """
    table = _read_table(path, OPINION_SCHEMA)
    known = (table.column("clip").to_pylist(), table.column("digest").to_pylist())
    if known != (embeddings.clips, embeddings.digests):
        raise ValueError(
            f"{path}: is an opinion on {table.num_rows} other clips, expected the "
            f"{len(embeddings.clips)} that have embeddings: delete it and run again"
        )
    column = table.column("campplus").combine_chunks()
    heard = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    vectors = column.drop_null().flatten().to_numpy().reshape(-1, CAMPPLUS_DIMENSIONS)
    return SecondOpinion(table.column("proposed").to_numpy(), heard, vectors)


def read_heard(path: Path, made_with: str) -> dict[str, tuple[str, np.ndarray]]:
    """Return digest and embedding of the clips that an opinion heard, if it was made with the same.

    It is only a cache: what cannot be read is computed again.
    """
    if not path.is_file():
        return {}
    try:
        table = _read_table(path, OPINION_SCHEMA)
    except ValueError as error:
        logger.warning("earlier embeddings are not used: %s", error)
        return {}
    if (table.schema.metadata or {}).get(MADE_WITH, b"").decode() != made_with:
        logger.info("%s was made with other code or settings", path.name)
        return {}
    columns = (table.column(name).to_pylist() for name in ("clip", "digest", "campplus"))
    return {
        clip: (digest, np.array(vector, dtype=np.float32))
        for clip, digest, vector in zip(*columns, strict=True)
        if vector is not None
    }


def _read_table(shard: Path, schema: pa.Schema = SCHEMA) -> pa.Table:
    try:
        table = pq.read_table(shard)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{shard}: not a readable parquet file ({error}); delete it and run again"
        ) from error
    if table.schema.names != schema.names:
        raise ValueError(
            f"{shard}: has the columns {table.schema.names}, expected {schema.names}; "
            "delete it and run again"
        )
    return table


def _campplus(table: pa.Table) -> np.ndarray | None:
    """Return the embeddings of CAM++, None if no clip has one."""
    column = table.column("campplus")
    if column.null_count == table.num_rows:
        return None
    if column.null_count:
        raise ValueError(
            f"{column.null_count} of {table.num_rows} clips have no embedding of CAM++, expected "
            "all or none: delete the embeddings folder and run again"
        )
    return column.combine_chunks().flatten().to_numpy().reshape(-1, CAMPPLUS_DIMENSIONS)


def _vector_column(vectors: Sequence[np.ndarray]) -> pa.FixedSizeListArray:
    flat = np.array(vectors, dtype=np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), DIMENSIONS)


def _matrix(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name).combine_chunks()
    return column.flatten().to_numpy().reshape(-1, DIMENSIONS)

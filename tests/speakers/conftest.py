import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lib.speakers.embedding import embed_clips
from lib.speakers.shard import DIMENSIONS, Embedding, Embeddings, read_embeddings


@dataclass
class Recorded:
    """Recorded speech: its files, its speakers and its voice vectors."""

    wavs: dict[str, Path]
    speakers: dict[str, str]
    shard: Path
    embeddings: Embeddings


@pytest.fixture(scope="session")
def recorded(real_speech, tmp_path_factory) -> Recorded:
    with (real_speech / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ids = [Path(row["file"]).with_suffix("").as_posix().replace("/", "_") for row in rows]
    wavs = {clip: real_speech / row["file"] for clip, row in zip(ids, rows, strict=True)}
    speakers = {clip: row["speaker"] for clip, row in zip(ids, rows, strict=True)}
    shard = tmp_path_factory.mktemp("recorded") / "shard.parquet"
    embed_clips(wavs, shard, threads=2)
    return Recorded(wavs, speakers, shard, read_embeddings([shard]))


class Voices:
    """Invented voices whose clips are about as alike as those of real people."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        shared = np.abs(self.random.normal(size=DIMENSIONS))
        own = self.random.normal(size=(count, DIMENSIONS))
        self.centres = _unit(np.maximum(0.75 * shared + 0.45 * own, 0))

    def speak(self, voice: int, count: int, spread: float = 0.025) -> np.ndarray:
        noise = self.random.normal(size=(count, DIMENSIONS)) * spread
        return _unit(np.maximum(self.centres[voice] + noise, 0))

    def embed(self, voice: int, clips: list[str], digest: str = "") -> list[Embedding]:
        vectors = self.speak(voice, len(clips)).astype(np.float32)
        return [
            Embedding(clip, digest or clip, 3.0, 3.0, vector, vector)
            for clip, vector in zip(clips, vectors, strict=True)
        ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def voices() -> Voices:
    return Voices(8)

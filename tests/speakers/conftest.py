import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lib.audio.wav import read_wav
from lib.config.speakers import SpeakerSettings
from lib.speakers.assignment import Sessions, SpeakerPaths, assign_speakers
from lib.speakers.overrides import Overrides
from lib.speakers.second_opinion import form_opinion
from lib.speakers.shard import (
    DIMENSIONS,
    Embedding,
    read_embeddings,
    write_opinion,
    write_shard,
)
from lib.speakers.tables import DOUBTS, read_assignments


def resemblyzers_own(wav):
    from resemblyzer import VoiceEncoder, preprocess_wav

    samples = read_wav(wav).astype(np.float32) / 32768
    return VoiceEncoder("cpu", verbose=False).embed_utterance(preprocess_wav(samples))


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


SECTIONS = {"names", "merge", "assign", "split", "exclude", "apart", "together"}


@dataclass
class Room:
    """A results folder, and voices that clips are made of."""

    root: Path
    voices: object

    def __post_init__(self):
        self.embeddings = {}
        self.known = {}
        self.silent = []
        self.sessions = Sessions()
        self.opinion = None

    def add(self, voice: int, prefix: str, count: int, digest: str = "") -> list[str]:
        clips = [f"{prefix}_{number:02d}" for number in range(count)]
        for row in self.voices.embed(voice, clips, digest):
            self.embeddings[row.clip] = row
        return clips

    def run(self, **settings) -> dict[str, str]:
        """Assign; sections of the user's file may be among the settings."""
        sections = {key: settings.pop(key) for key in SECTIONS & settings.keys()}
        rows = list(self.embeddings.values())
        shards = [self.root / "0.parquet", self.root / "1.parquet"]
        for number, shard in enumerate(shards):
            write_shard(shard, rows[number::2])
        assign_speakers(
            shards,
            {**dict.fromkeys([*self.embeddings, *self.silent]), **self.known},
            SpeakerSettings(**settings),
            Overrides(**sections),
            self.root / "state/speakers.json",
            SpeakerPaths(
                assignments=self.root / "assignments.tsv",
                centroids=self.root / "centroids.parquet",
                speakers=self.root / "registry.json",
                speaker_map=self.root / "map.tsv",
                excluded=self.root / "excluded.tsv",
            ),
            self._write_opinion(shards, SpeakerSettings(**settings)),
            self.sessions,
        )
        table = read_assignments(self.root / "assignments.tsv")
        return {clip: row.speaker_id for clip, row in table.items()}

    def _write_opinion(self, shards, settings):
        """Write a second opinion, if `opinion` has a CAM++ embedding for every clip."""
        if self.opinion is None:
            return None
        embeddings = read_embeddings(shards)
        found = form_opinion(
            embeddings, settings, lambda names: {name: self.opinion[name] for name in names}
        )
        write_opinion(self.root / "opinion.parquet", embeddings, found, "")
        return self.root / "opinion.parquet"

    def registry(self):
        return json.loads((self.root / "registry.json").read_text())

    def suggestions(self):
        """Return the review suggestions that are no doubts."""
        rows = self.registry()["review_suggestions"]
        return [row for row in rows if row["reason"] not in DOUBTS]

    def doubts(self):
        rows = self.registry()["review_suggestions"]
        return [row for row in rows if row["reason"] in DOUBTS]


@pytest.fixture
def room(tmp_path, voices) -> Room:
    return Room(tmp_path, voices)


def ids(found, clips):
    return {found[clip] for clip in clips}

"""The embedded demo corpus holds what it promises."""

import csv
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from lib.audio.convert import convert
from lib.audio.wav import read_wav
from lib.config.audio import AudioSettings
from lib.corpus import Columns, read_audio, read_corpus
from tools.demo import make_corpus

DEMO = Path(__file__).resolve().parents[2] / "resources/demo"
CORPUS = DEMO / "corpus"


@pytest.fixture(scope="module")
def speakers() -> dict[str, str]:
    with (DEMO / "truth.csv").open(encoding="utf-8", newline="") as file:
        return {Path(row["file_name"]).stem: row["speaker"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Measurements by clip, and the folder of the WAV files."""
    folder = tmp_path_factory.mktemp("demo")
    corpus = read_corpus(CORPUS, Columns(), None)
    measured = {
        id_: convert(
            id_, read_audio(clip), folder / f"{id_}.wav", folder / f"{id_}.json", AudioSettings()
        )
        for id_, clip in corpus.clips.items()
    }
    return measured, folder


def test_corpus_is_read_without_problems(speakers):
    corpus = read_corpus(CORPUS, Columns(), None)

    assert corpus.invalid_rows == []
    assert set(corpus.clips) == set(speakers)
    assert all(clip.speaker is None for clip in corpus.clips.values())


def test_size_and_formats():
    suffixes = Counter(path.suffix for path in CORPUS.iterdir())

    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < 4_000_000
    assert suffixes[".webm"] > sum(suffixes.values()) / 2
    assert all(suffixes[suffix] >= 4 for suffix in (".mp3", ".flac", ".ogg", ".wav"))


def test_every_voice_has_clips_of_usable_length(converted, speakers):
    measured, _ = converted
    durations = defaultdict(list)
    for id_, clip in measured.items():
        if clip.status == "ok":
            durations[speakers[id_]].append(clip.duration)

    assert len(durations) >= 4
    assert sum(map(len, durations.values())) >= 60
    assert all(1.5 <= seconds <= 6 for voice in durations.values() for seconds in voice)
    assert all(len(voice) >= 15 for voice in durations.values())


def test_two_clips_are_quarantined(converted, speakers):
    measured, _ = converted
    rejected = {id_: clip.reason for id_, clip in measured.items() if clip.status == "rejected"}

    assert sorted(rejected.values()) == ["silent", "undecodable"]
    assert all(speakers[id_] == "" for id_ in rejected)


def test_levels_and_sample_rates_differ(converted):
    measured = [clip for clip in converted[0].values() if clip.status == "ok"]

    assert np.ptp([clip.loudness_before for clip in measured]) > 15
    assert len({clip.source.sample_rate for clip in measured}) >= 4


@pytest.mark.slow
def test_voices_are_separable(converted, speakers):
    """Clips of one voice are closer to each other than to any of another."""
    resemblyzer = pytest.importorskip("resemblyzer")
    measured, folder = converted
    encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
    ids = [id_ for id_, clip in measured.items() if clip.status == "ok"]
    vectors = np.stack(
        [
            encoder.embed_utterance(read_wav(folder / f"{id_}.wav").astype(np.float32) / 32768)
            for id_ in ids
        ]
    )
    labels = np.array([speakers[id_] for id_ in ids])
    cosines = vectors @ vectors.T
    same = labels[:, None] == labels[None]
    others = ~np.eye(len(ids), dtype=bool)

    # The clip most like a clip is by the same voice.
    assert (np.where(same & others, cosines, -1).max(1) > np.where(same, -1, cosines).max(1)).all()
    assert np.median(cosines[same & others]) > 0.85
    # Each clip against the means of the voices.
    means = np.stack([vectors[labels == voice].mean(0) for voice in np.unique(labels)])
    own = labels[:, None] == np.unique(labels)[None]
    to_means = vectors @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    assert (to_means[own] > np.where(own, 0, to_means).max(1) + 0.1).all()


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_script_makes_the_corpus(tmp_path, speakers):
    """Bytes depend on the versions of espeak-ng and FFmpeg; names, texts and labels do not."""

    make_corpus.make_corpus(tmp_path / "corpus", tmp_path / "truth.csv")

    assert (tmp_path / "truth.csv").read_bytes() == (DEMO / "truth.csv").read_bytes()
    for name in ("metadata.csv", "demo_202.webm"):
        assert (tmp_path / "corpus" / name).read_bytes() == (CORPUS / name).read_bytes()
    assert {p.name for p in (tmp_path / "corpus").iterdir()} == {p.name for p in CORPUS.iterdir()}

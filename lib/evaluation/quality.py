"""How well a voice says sentences whose recordings it did not learn from.

The recordings themselves and the voice before the training are measured in the same way: the one
is what can be reached, the other where it began.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from lib.audio.wav import read_wav, write_wav
from lib.corpus.saved_dataset import read_split
from lib.evaluation.distortion import mel_cepstral_distortion
from lib.evaluation.intelligibility import ListeningTest
from lib.evaluation.recognition import Recogniser
from lib.files import atomic_path, write_json
from lib.speakers.embedding import embed_clips
from lib.speakers.shard import read_shard
from lib.synthesis.synthesizer import SEED, Synthesizer


@dataclass(frozen=True)
class Quality:
    """Of what one speaker says; None where it was not measured."""

    sentences: int
    asked: int
    """Sentences that the recogniser was asked about: it knows all their words."""
    heard_sentences: int | None
    """Of those asked: told from 19 other sentences."""
    heard_words: int | None
    """Of those asked: told from 19 that differ in one word."""
    own_similarity: float
    """Cosine of the voice vector (resemblyzer) with that of the speaker's recordings."""
    other_similarity: float | None
    """The same with the other speaker that is most alike; None if there is no other."""
    distortion: float
    """Median mel-cepstral distortion from the recordings, in dB."""
    length_ratio: float
    """Seconds spoken per second recorded."""


@dataclass(frozen=True)
class Sentence:
    """A clip that the voice did not learn from."""

    clip: str
    text: str
    speaker: str


def choose_sentences(dataset: Path, count: int) -> list[Sentence]:
    """Choose up to `count` clips of every speaker from the validation split, in order of ids."""
    rows = read_split(dataset / "validation", ["id", "transcript", "speaker_id"])
    chosen: dict[str, list[Sentence]] = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        own = chosen.setdefault(row["speaker_id"], [])
        if len(own) < count:
            own.append(Sentence(row["id"], row["transcript"], row["speaker_id"]))
    return [sentence for _, own in sorted(chosen.items()) for sentence in own]


def measure_quality(
    model: Path | None,
    dataset: Path,
    recordings: Path,
    centroids: Path,
    count: int,
    recogniser: str | None,
    output: Path,
    threads: int = 1,
) -> None:
    """Let a voice say sentences of the validation split, and write `Quality` by speaker as JSON.

    Parameters
    ----------
    model
        The voice; None measures the recordings themselves.
    recordings
        Folder with the converted clips, ``{clip}.wav``.
    centroids
        Parquet file with the mean voice vector of every speaker's recordings.
    count
        Sentences a speaker.
    recogniser
        Language of the recogniser that listens: ``english``, or None.
    threads
        CPU threads.
    """
    torch.set_num_threads(threads)
    sentences = choose_sentences(dataset, count)
    recorded = {s.clip: recordings / f"{s.clip}.wav" for s in sentences}
    test = None
    if recogniser:
        parts = (dataset / split for split in ("train", "validation"))
        texts = [row["transcript"] for part in parts for row in read_split(part, ["transcript"])]
        test = ListeningTest(Recogniser(), texts)
    with tempfile.TemporaryDirectory() as scratch:
        spoken = speak_all(Synthesizer(model), sentences, Path(scratch)) if model else recorded
        quality = judge(sentences, spoken, recorded, _read_centroids(centroids), test)
    with atomic_path(output) as temporary:
        write_json(temporary, {speaker: asdict(found) for speaker, found in quality.items()})


def judge(
    sentences: Sequence[Sentence],
    spoken: Mapping[str, Path],
    recorded: Mapping[str, Path],
    references: Mapping[str, np.ndarray],
    test: ListeningTest | None,
) -> dict[str, Quality]:
    """Measure what was said, by speaker.

    Parameters
    ----------
    spoken, recorded
        WAV files (int16, 16 kHz, mono) by clip.
    references
        ``(256,)`` voice vectors of the recordings by speaker.
    """
    said: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        said.setdefault(sentence.speaker, []).append(sentence)
    voices = embed_speakers(
        {speaker: [spoken[s.clip] for s in own] for speaker, own in said.items()}
    )
    return {
        speaker: Quality(
            sentences=len(own),
            **_listen(own, spoken, test),
            **_compare_voices(voices[speaker], speaker, references),
            **_compare_sound([(_read(spoken[s.clip]), _read(recorded[s.clip])) for s in own]),
        )
        for speaker, own in said.items()
    }


def speak_all(voice: Synthesizer, sentences: Sequence[Sentence], folder: Path) -> dict[str, Path]:
    """Let every speaker say its sentences."""
    spoken = {}
    for sentence in sentences:
        spoken[sentence.clip] = path = folder / f"{sentence.clip}.wav"
        waveform = voice.synthesize(sentence.text, sentence.speaker, SEED)
        write_wav(path, _to_int16(waveform.numpy()), voice.sample_rate)
    return spoken


def _listen(
    sentences: Sequence[Sentence], spoken: Mapping[str, Path], test: ListeningTest | None
) -> dict[str, int | None]:
    if test is None:
        return {"asked": 0, "heard_sentences": None, "heard_words": None}
    asked = [(_read(spoken[s.clip]), s.text) for s in sentences if test.can_ask(s.text)]
    return {
        "asked": len(asked),
        "heard_sentences": sum(test.hears_sentence(*question) for question in asked),
        "heard_words": sum(test.hears_word(*question) for question in asked),
    }


def _compare_voices(
    voice: np.ndarray, speaker: str, references: Mapping[str, np.ndarray]
) -> dict[str, float | None]:
    alike = {
        key: round(float(voice @ vector / np.linalg.norm(vector)), 3)
        for key, vector in references.items()
    }
    own = alike.pop(speaker)
    return {"own_similarity": own, "other_similarity": max(alike.values(), default=None)}


def _compare_sound(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    spoken, recorded = (sum(map(len, side)) for side in zip(*pairs, strict=True))
    distortions = [mel_cepstral_distortion(*pair) for pair in pairs]
    return {
        "distortion": round(float(np.median(distortions)), 2),
        "length_ratio": round(spoken / recorded, 3),
    }


def embed_speakers(wavs: Mapping[str, Sequence[Path]]) -> dict[str, np.ndarray]:
    """Return the mean voice vector of every speaker, of length one."""
    named = {f"{speaker} {i}": wav for speaker, own in wavs.items() for i, wav in enumerate(own)}
    with tempfile.TemporaryDirectory() as scratch:
        shard = Path(scratch) / "vectors.parquet"
        embed_clips(named, shard, threads=torch.get_num_threads(), device="cpu")
        found = read_shard(shard)
    voices = {}
    for speaker, own in wavs.items():
        total = sum(found[f"{speaker} {i}"].vector for i in range(len(own)))
        voices[speaker] = total / np.linalg.norm(total)
    return voices


def _read_centroids(path: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(path, columns=["speaker_id", "vector"]).to_pydict()
    return {s: np.asarray(v) for s, v in zip(table["speaker_id"], table["vector"], strict=True)}


def _read(path: Path) -> np.ndarray:
    return read_wav(path) / 32768


def _to_int16(samples: np.ndarray) -> np.ndarray:
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)

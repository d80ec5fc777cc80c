"""Figures of a voice, measured on sentences that were held out of its training.

The recordings themselves and the voice before the training are measured in the same way. The
recordings show what can be reached, the earlier voice what the training has changed.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from lib.audio.wav import read_wav, write_wav
from lib.corpus.saved_dataset import read_split
from lib.evaluation.acoustics import QualityScore, measure_pitch, mel_cepstral_distortion
from lib.evaluation.intelligibility import IntelligibilityTest
from lib.evaluation.recognition import Recogniser
from lib.files import atomic_path, write_json
from lib.speakers.embedding import embed_clips
from lib.speakers.shard import read_shard
from lib.synthesis.synthesizer import SEED, Synthesizer
from lib.tables import read_vectors


@dataclass(frozen=True)
class Quality:
    """Figures of one speaker; None where something was not measured."""

    sentences: int
    sentences_tested: int
    """Sentences whose intelligibility was tested: the listener knows all their words."""
    sentences_understood: int | None
    """Of those tested: told from 19 other sentences."""
    words_understood: int | None
    """Of those tested: told from 19 that differ in one word."""
    own_similarity: float
    """Cosine of the speaker embedding (resemblyzer) and that of the speaker's recordings."""
    other_similarity: float | None
    """The same with the most similar other speaker; None if there is no other."""
    distortion: float
    """Median mel-cepstral distortion from the recordings, in dB."""
    length_ratio: float
    """Seconds of the measured speech divided by seconds of the recordings."""
    pitch_ratio: float | None = None
    """Median fundamental frequency divided by that of the recordings."""
    pitch_spread_ratio: float | None = None
    """Standard deviation of the pitch in semitones divided by that of the recordings."""
    naturalness: float | None = None
    """Mean of a learned quality score from 1 to 5; None if it is not measured."""


@dataclass(frozen=True)
class Sentence:
    """A clip that was held out of the training."""

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
    naturalness: bool = False,
) -> None:
    """Measure a voice on the validation split, and write `Quality` by speaker as JSON.

    Parameters
    ----------
    model
        The voice; None measures the recordings themselves.
    recordings
        Folder with the converted clips, ``{clip}.wav``.
    centroids
        Parquet file with the mean speaker embedding of every speaker's recordings.
    count
        Sentences a speaker.
    recogniser
        Language of the recogniser: ``english``; None measures no intelligibility.
    output
        JSON file to write.
    threads
        CPU threads.
    naturalness
        Whether the learned quality score is measured.
    """
    torch.set_num_threads(threads)
    sentences = choose_sentences(dataset, count)
    recorded = {s.clip: recordings / f"{s.clip}.wav" for s in sentences}
    test = None
    if recogniser:
        test = IntelligibilityTest(Recogniser(), read_texts(dataset))
    score = QualityScore() if naturalness else None
    references = {s: np.asarray(v) for s, v in read_vectors(centroids).items()}
    with tempfile.TemporaryDirectory() as scratch:
        speech = recorded
        if model:
            speech = synthesize_sentences(Synthesizer(model), sentences, Path(scratch))
        quality = measure_by_speaker(sentences, speech, recorded, references, test, score)
    with atomic_path(output) as temporary:
        write_json(temporary, {speaker: asdict(found) for speaker, found in quality.items()})


def read_texts(dataset: Path) -> list[str]:
    """Read the transcripts of both splits."""
    parts = (dataset / split for split in ("train", "validation"))
    return [row["transcript"] for part in parts for row in read_split(part, ["transcript"])]


def measure_by_speaker(
    sentences: Sequence[Sentence],
    speech: Mapping[str, Path],
    recorded: Mapping[str, Path],
    references: Mapping[str, np.ndarray],
    test: IntelligibilityTest | None,
    score: QualityScore | None = None,
) -> dict[str, Quality]:
    """Measure the speech of every speaker.

    Parameters
    ----------
    speech, recorded
        WAV files (int16, 16 kHz, mono) by clip: those to measure, and the recordings.
    references
        ``(256,)`` speaker embeddings of the recordings by speaker.
    test
        None measures no intelligibility.
    score
        None measures no naturalness.
    """
    by_speaker = group_by_speaker(sentences)
    embeddings = embed_speakers(
        {speaker: [speech[s.clip] for s in own] for speaker, own in by_speaker.items()}
    )
    return {
        speaker: Quality(
            sentences=len(own),
            **count_understood(own, speech, test),
            **_measure_similarity(embeddings[speaker], speaker, references),
            **_measure_sound([(_read(speech[s.clip]), _read(recorded[s.clip])) for s in own]),
            naturalness=_measure_naturalness([_read(speech[s.clip]) for s in own], score),
        )
        for speaker, own in by_speaker.items()
    }


def synthesize_sentences(
    synthesizer: Synthesizer, sentences: Sequence[Sentence], folder: Path
) -> dict[str, Path]:
    """Synthesize every sentence with its speaker, and return the WAV files by clip."""
    speech = {}
    for sentence in sentences:
        speech[sentence.clip] = path = folder / f"{sentence.clip}.wav"
        waveform = synthesizer.synthesize(sentence.text, sentence.speaker, SEED)
        write_wav(path, _to_int16(waveform), synthesizer.sample_rate)
    return speech


def group_by_speaker(sentences: Sequence[Sentence]) -> dict[str, list[Sentence]]:
    """Return the sentences of every speaker, in their order."""
    by_speaker: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        by_speaker.setdefault(sentence.speaker, []).append(sentence)
    return by_speaker


def count_understood(
    sentences: Sequence[Sentence], speech: Mapping[str, Path], test: IntelligibilityTest | None
) -> dict[str, int | None]:
    """Count the sentences that were tested, and those of which sentence and word are understood."""
    if test is None:
        return {"sentences_tested": 0, "sentences_understood": None, "words_understood": None}
    tested = [
        (_read(speech[s.clip]), s.text, s.speaker) for s in sentences if test.can_test(s.text)
    ]
    return {
        "sentences_tested": len(tested),
        "sentences_understood": sum(test.recognises_sentence(*clip) for clip in tested),
        "words_understood": sum(test.recognises_word(*clip) for clip in tested),
    }


def _measure_similarity(
    embedding: np.ndarray, speaker: str, references: Mapping[str, np.ndarray]
) -> dict[str, float | None]:
    similarities = {
        key: round(float(embedding @ reference / np.linalg.norm(reference)), 3)
        for key, reference in references.items()
    }
    own = similarities.pop(speaker)
    return {"own_similarity": own, "other_similarity": max(similarities.values(), default=None)}


def _measure_sound(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float | None]:
    """Compare pairs of measured speech and recording."""
    measured, recorded = (sum(map(len, side)) for side in zip(*pairs, strict=True))
    distortions = [mel_cepstral_distortion(*pair) for pair in pairs]
    pitches = [(measure_pitch(one), measure_pitch(other)) for one, other in pairs]
    voiced = [(one, other) for one, other in pitches if one and other]
    ratios = np.array([(a.median / b.median, a.spread / max(b.spread, 0.1)) for a, b in voiced])
    median, spread = np.median(ratios, axis=0) if len(ratios) else (None, None)
    return {
        "distortion": round(float(np.median(distortions)), 2),
        "length_ratio": round(measured / recorded, 3),
        "pitch_ratio": None if median is None else round(float(median), 3),
        "pitch_spread_ratio": None if spread is None else round(float(spread), 3),
    }


def _measure_naturalness(speech: Sequence[np.ndarray], score: QualityScore | None) -> float | None:
    if score is None:
        return None
    return round(float(np.mean([score.measure(samples) for samples in speech])), 2)


def embed_speakers(wavs: Mapping[str, Sequence[Path]]) -> dict[str, np.ndarray]:
    """Return the mean embedding ``(256,)`` of every speaker's WAV files, of length one."""
    named = {f"{speaker} {i}": wav for speaker, own in wavs.items() for i, wav in enumerate(own)}
    with tempfile.TemporaryDirectory() as scratch:
        shard = Path(scratch) / "vectors.parquet"
        embed_clips(named, shard, threads=torch.get_num_threads(), device="cpu")
        found = read_shard(shard)
    embeddings = {}
    for speaker, own in wavs.items():
        total = sum(found[f"{speaker} {i}"].vector for i in range(len(own)))
        embeddings[speaker] = total / np.linalg.norm(total)
    return embeddings


def _read(path: Path) -> np.ndarray:
    return read_wav(path) / 32768


def _to_int16(samples: np.ndarray) -> np.ndarray:
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)

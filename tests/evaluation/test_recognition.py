"""The recogniser, on a voice that is in the repository: the demo's recordings."""

import csv
from pathlib import Path

import numpy as np
import pytest

from lib.audio.decode import decode
from lib.evaluation.recognition import Recogniser, _add_pause_and_noise

CORPUS = Path(__file__).resolve().parents[2] / "resources/demo/corpus"
SENTENCES = {
    "demo_002.webm": "please put the small blue cup on the kitchen table",
    "demo_003.webm": "nobody knew why the old lighthouse had stopped working",
    "demo_004.webm": "seven fishermen sailed out before the storm arrived",
}


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="module")
def recordings() -> dict[str, np.ndarray]:
    return {name: read(CORPUS / name) for name in SENTENCES}


def read(path: Path) -> np.ndarray:
    decoded = decode(path.read_bytes(), 16_000, 30.0)
    samples = np.asarray(decoded.samples, dtype=float)
    return np.round(samples / np.abs(samples).max() * 16_000).astype(np.int16)


def test_the_sentences_are_those_of_the_corpus():
    with (CORPUS / "metadata.csv").open(encoding="utf-8") as file:
        texts = {row["file_name"]: row["text"] for row in csv.DictReader(file)}
    for name, sentence in SENTENCES.items():
        letters = "".join(c for c in texts[name].lower() if c.isalpha() or c == " ")
        assert letters == sentence


def test_it_recognises_what_was_spoken(recogniser, recordings):
    candidates = list(SENTENCES.values())
    chosen = [recogniser.choose(recordings[name], candidates) for name in SENTENCES]
    assert chosen == [0, 1, 2]


def test_it_recognises_nothing_in_noise(recogniser):
    noise = np.random.default_rng(0).normal(0, 3000, 32_000).astype(np.int16)
    assert recogniser.choose(noise, list(SENTENCES.values())) is None


def test_the_same_recording_gives_the_same_answer_after_others(recogniser, recordings):
    candidates = list(SENTENCES.values())
    first = recogniser.choose(recordings["demo_002.webm"], candidates)
    recogniser.choose(recordings["demo_003.webm"], candidates)
    assert recogniser.choose(recordings["demo_002.webm"], candidates) == first == 0


def test_words_that_it_does_not_know_are_named(recogniser, recordings):
    with pytest.raises(ValueError, match="does not know: qxv, zzyx"):
        recogniser.choose(recordings["demo_002.webm"], ["the cup", "zzyx qxv"])


def test_a_pause_and_faint_noise_are_added():
    padded = _add_pause_and_noise(np.full(100, 1000, dtype=np.int16)).astype(float)
    assert len(padded) == 100 + 2 * 4800
    assert 4 < padded[:4800].std() < 12
    assert abs(padded[4800:4900].mean() - 1000) < 10

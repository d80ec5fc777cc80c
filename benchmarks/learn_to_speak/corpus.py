"""The recordings that are learnt from, the sentences that are held out, and a random base model."""

import csv
from collections.abc import Sequence
from pathlib import Path

import soundfile
from transformers import VitsConfig

from benchmarks.learn_to_speak.sentences import invent_sentences, join
from lib.base_model.tiny import write_tiny_model
from lib.files import write_json
from tools.base_model.shape import small_config
from tools.espeak import Espeak

NUM_RECORDINGS = 1_500
NUM_HELD_OUT = 60
SEED = 7


def invent_corpus() -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Return the texts of the recordings, and the sentences held out of them."""
    sentences = invent_sentences(NUM_RECORDINGS + NUM_HELD_OUT, SEED)
    return [join(s) for s in sentences[:NUM_RECORDINGS]], sentences[NUM_RECORDINGS:]


def write_corpus(directory: Path) -> None:
    """Write what is learnt from and what is held out: recordings, metadata.csv, word times."""
    texts, held_out = invent_corpus()
    espeak = Espeak()
    _record_sentences(espeak, texts, directory / "recordings")
    _record_sentences(espeak, [join(sentence) for sentence in held_out], directory / "held_out")


def _record_sentences(espeak: Espeak, texts: Sequence[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    word_starts = {}
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file_name", "text", "speaker"])
        for number, text in enumerate(texts):
            name = f"{number:04d}"
            samples, word_starts[name] = espeak.speak(text)
            soundfile.write(folder / f"{name}.wav", samples, espeak.sample_rate)
            rows.writerow([f"{name}.wav", text, "espeak"])
    write_json(folder / "word_starts.json", word_starts)


def write_base_model(directory: Path, stochastic: bool) -> None:
    """Write a VITS of 3 million random weights, with the duration predictor asked for."""

    def shape(vocab_size: int) -> VitsConfig:
        return small_config(vocab_size, stochastic)

    write_tiny_model(directory, SEED, shape)

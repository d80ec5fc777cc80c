"""The speech that the base model learns from: who says what, in which language."""

import csv
from dataclasses import dataclass
from pathlib import Path

import soundfile

from tools.espeak import Espeak
from tools.sentences import read_grammar

SEED = 5
HELD_OUT = 20
"""Sentences a voice says that are not learnt from."""


@dataclass(frozen=True)
class Voice:
    """How espeak-ng is asked to speak, and how many sentences."""

    name: str
    language: str
    voice: str
    pitch: int
    words_per_minute: int
    sentences: int


# The variants are the clearest ones: pocketsphinx understands each of them. Those of the demo
# corpus, and what sounds like them, are not among them.
VOICES = (
    Voice("eng-male-1", "english", "en-us+m3", 45, 170, 520),
    Voice("eng-male-2", "english", "en-us+edward", 55, 180, 520),
    Voice("eng-male-3", "english", "en-us+Jacky", 50, 165, 520),
    Voice("eng-female-1", "english", "en-us+f2", 55, 175, 520),
    Voice("eng-female-2", "english", "en-us+f4", 50, 165, 520),
    Voice("eng-female-3", "english", "en-us+f5", 70, 180, 520),
    Voice("ind-male", "indonesian", "id+Henrique", 45, 180, 330),
    Voice("ind-female", "indonesian", "id+f3", 55, 180, 330),
    Voice("swa-male", "swahili", "sw+m1", 50, 190, 330),
    Voice("swa-female", "swahili", "sw+f1", 60, 190, 330),
)


def invent_texts(voice: Voice) -> tuple[list[str], list[str]]:
    """Return what a voice says to be learnt from, and what it says that is held out.

    No sentence that is held out is said by anyone in what is learnt from.
    """
    same = [other for other in VOICES if other.language == voice.language]
    total = sum(other.sentences + HELD_OUT for other in same)
    texts = read_grammar(voice.language).invent(total, SEED)
    place = same.index(voice)
    first = sum(other.sentences for other in same[:place])
    last = total - HELD_OUT * (len(same) - place)
    return texts[first : first + voice.sentences], texts[last : last + HELD_OUT]


def write_corpus(directory: Path) -> None:
    """Write ``recordings`` and ``held_out``: WAV files and metadata.csv with texts and voices."""
    espeak = Espeak()
    for part, folder in enumerate(("recordings", "held_out")):
        (directory / folder).mkdir(parents=True, exist_ok=True)
        with (directory / folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["file_name", "text", "speaker"])
            for voice in VOICES:
                for number, text in enumerate(invent_texts(voice)[part]):
                    name = f"{voice.name}_{number:03d}.wav"
                    samples, _ = espeak.speak(
                        text, voice.voice, voice.words_per_minute, voice.pitch
                    )
                    soundfile.write(directory / folder / name, samples, espeak.sample_rate)
                    rows.writerow([name, text, voice.name])

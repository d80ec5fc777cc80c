"""Measure the base model's own voices on sentences that were held out of its training.

    python -m tools.base_model.measure --work /tmp/base

Writes `quality.json`, `learning.svg` and `speech.svg` beside the model, and prints the table of
README.md. Needs the corpus that `python -m tools.base_model` leaves in its folder.
"""

import argparse
import csv
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from benchmarks.basics import print_table
from lib.audio.wav import write_wav
from lib.evaluation.intelligibility import IntelligibilityTest
from lib.evaluation.quality import (
    Quality,
    Sentence,
    embed_speakers,
    measure_by_speaker,
    synthesize_sentences,
)
from lib.evaluation.recognition import SAMPLE_RATE, Recogniser
from lib.files import write_json
from lib.report.sample_plots import plot_spectrograms
from lib.report.tables import Example
from lib.report.training_plots import plot_losses, read_curves
from lib.synthesis.synthesizer import Synthesizer
from tools.base_model.corpus import VOICES, invent_texts
from tools.sentences import read_grammar

MODEL = Path(__file__).resolve().parents[2] / "resources/base_model"
_DRAWN = ("eng-male-1", "eng-female-1", "ind-female", "swa-male")


def read_held_out(folder: Path, scratch: Path) -> tuple[list[Sentence], dict[str, Path]]:
    """Read the sentences that were held out, and write their recordings at 16 kHz."""
    sentences, recorded = [], {}
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            clip = Path(row["file_name"]).stem
            samples, rate = soundfile.read(folder / row["file_name"])
            resampled = np.clip(soxr.resample(samples, rate, SAMPLE_RATE), -1, 1)
            recorded[clip] = scratch / f"{clip}.wav"
            write_wav(recorded[clip], np.round(resampled * 32767).astype(np.int16), SAMPLE_RATE)
            sentences.append(Sentence(clip, row["text"], row["speaker"]))
    return sentences, recorded


def prepare_test(language: str) -> IntelligibilityTest:
    """Return a test of intelligibility with all sentences of a language as candidates."""
    voices = [voice for voice in VOICES if voice.language == language]
    texts = [text for voice in voices for part in invent_texts(voice) for text in part]
    grammar = read_grammar(language)
    words = {word for text in texts for word in Recogniser.normalise(text).split()}
    known = {word: grammar.pronounce(word) for word in sorted(words)} if grammar.sounds else None
    return IntelligibilityTest(Recogniser(known), texts)


@dataclass(frozen=True)
class HeldOut:
    """Held-out sentences, and by clip their recordings and the model's speech."""

    sentences: list[Sentence]
    recorded: dict[str, Path]
    speech: dict[str, Path]

    def of(self, voice: str) -> list[Sentence]:
        """Return the sentences of a voice."""
        return [sentence for sentence in self.sentences if sentence.speaker == voice]


def measure(held_out: HeldOut) -> dict[str, dict[str, Quality]]:
    """Measure recordings and model, by voice."""
    found: dict[str, dict[str, Quality]] = {"recordings": {}, "model": {}}
    wavs = {v.name: [held_out.recorded[s.clip] for s in held_out.of(v.name)] for v in VOICES}
    references = embed_speakers(wavs)
    for language in sorted({voice.language for voice in VOICES}):
        test = prepare_test(language)
        own = [s for v in VOICES if v.language == language for s in held_out.of(v.name)]
        for what, speech in (("recordings", held_out.recorded), ("model", held_out.speech)):
            found[what] |= measure_by_speaker(own, speech, held_out.recorded, references, test)
    return found


def draw_speech(held_out: HeldOut, path: Path) -> None:
    """Draw the first sentence of some voices, beside its recording."""
    examples = []
    for name in _DRAWN:
        sentence = held_out.of(name)[0]
        sentences = [(sentence.text, held_out.speech[sentence.clip])]
        examples.append(Example(name, sentences, {"clip": sentence.clip}))
    plot_spectrograms(examples, next(iter(held_out.recorded.values())).parent, {}, path)


def print_quality(found: dict[str, dict[str, Quality]]) -> None:
    """Print a table of the figures of every voice, recordings and model."""
    rows = []
    for name in found["recordings"]:
        for what, qualities in found.items():
            q = qualities[name]
            understood = [
                f"{count} of {q.sentences_tested}"
                for count in (q.sentences_understood, q.words_understood)
            ]
            rows.append(
                [
                    name,
                    what,
                    *understood,
                    q.own_similarity,
                    q.other_similarity,
                    q.distortion,
                    q.length_ratio,
                ]
            )
    header = ["voice", "speech", "right of 20", "right word of 20", "own similarity"]
    print_table([*header, "other similarity", "distortion (dB)", "length"], rows)


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the training")
    parser.add_argument("--model", type=Path, default=MODEL, help="the model")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        sentences, recorded = read_held_out(arguments.work / "corpus/held_out", scratch)
        (scratch / "speech").mkdir()
        speech = synthesize_sentences(Synthesizer(arguments.model), sentences, scratch / "speech")
        held_out = HeldOut(sentences, recorded, speech)
        found = measure(held_out)
        draw_speech(held_out, arguments.model / "speech.svg")
    plot_losses(read_curves(arguments.work / "run/tensorboard"), arguments.model / "learning.svg")
    plain = {what: {k: asdict(q) for k, q in by.items()} for what, by in found.items()}
    write_json(arguments.model / "quality.json", plain)
    print_quality(found)


if __name__ == "__main__":
    main()

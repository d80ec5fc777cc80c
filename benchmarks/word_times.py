"""Errors of word times on speech whose times espeak-ng knows.

``python -m benchmarks.word_times results/demo`` after ``make demo``: the demo's clips by its voice.
The sentences are spoken again by the voices that the corpus was made with, which is how the true
starts and ends of their words come about. Without a folder: held-out sentences of the ten voices of
the embedded base model, in three languages, by that model. Needs the Debian package ``espeak-ng``.
"""

import argparse
import csv
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import librosa
import numpy as np
import torch
from transformers import VitsModel, VitsTokenizer

from benchmarks.basics import print_table
from lib.base_model.record import read_speakers
from lib.evaluation.time_files import locate_clips, write_times
from lib.evaluation.times import Interval, find_words
from lib.files import read_json
from lib.mms import SAMPLE_RATE
from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend
from lib.vits.clips import TrainingClip
from tools.base_model.corpus import VOICES as BASE_VOICES
from tools.base_model.corpus import invent_texts
from tools.demo.make_corpus import DEMO, VOICES
from tools.espeak import Espeak

BASE_MODEL = Path(__file__).resolve().parents[1] / "resources/base_model"
PAUSE_MARKS = ",.;:"
AFTER_PAUSE, OTHERS, ENDS = "starts after a comma", "other starts", "ends"
LETTERS = "starts of letters within words"
PHONEMIC = ("indonesian", "swahili")
"""Languages that write a letter for a sound."""


@dataclass(frozen=True)
class Truth:
    """A text, and the seconds at which its words start and end, by their positions in it."""

    text: str
    starts: Mapping[int, float]
    ends: Mapping[int, float]
    sounds: Mapping[int, Sequence[float]]
    """Starts of the sounds of every word."""


def compare(
    truth: Truth, words: Sequence[Interval], letters: Sequence[Interval]
) -> Iterator[tuple[str, float]]:
    """Yield found less true times in seconds, by kind; the first word of a text has no start.

    A letter is compared where its word has as many sounds as letters, so that the two belong
    together; the first of a word starts with it.
    """
    places = list(find_words(truth.text))
    if len(places) != len(words):
        return
    rest = iter(letters)
    for number, ((begin, _), word) in enumerate(zip(places, words, strict=True)):
        own = list(islice(rest, len(word.text)))
        if number and begin in truth.starts:
            kind = AFTER_PAUSE if truth.text[begin - 2] in PAUSE_MARKS else OTHERS
            yield kind, word.start - truth.starts[begin]
        if begin in truth.ends:
            yield ENDS, word.end - truth.ends[begin]
        if len(own) == len(sounds := truth.sounds.get(begin, ())):
            pairs = zip(own[1:], sounds[1:], strict=True)
            yield from ((LETTERS, letter.start - sound) for letter, sound in pairs)


def measure_demo(
    results: Path, split: str, times: Path, espeak: Espeak
) -> Iterator[tuple[str, float]]:
    """Yield the errors on the clips of a split."""
    voices = {voice.speaker: voice for voice in VOICES}
    truth, texts = (
        {Path(row["file_name"]).stem: row[column] for row in csv.DictReader(path.open("r"))}
        for path, column in (
            (DEMO / "truth.csv", "speaker"),
            (DEMO / "corpus/metadata.csv", "text"),
        )
    )
    with (results / "manifest.tsv").open() as manifest:
        clips = [row for row in csv.DictReader(manifest, delimiter="\t") if row["split"] == split]
    for row in clips:
        voice, text = voices[truth[row["clip"]]], texts[row["clip"]]
        _, starts = espeak.speak(text, voice.voice, voice.words_per_minute, voice.pitch)
        found = read_json(times / "clips" / f"{row['clip']}.json")
        words, letters = ([Interval(**part) for part in found[k]] for k in ("words", "letters"))
        # English has other letters than sounds.
        yield from compare(Truth(text, starts, espeak.find_ends(), {}), words, letters)


def measure_base(language: str, espeak: Espeak) -> Iterator[tuple[str, float]]:
    """Yield the errors of the base model on sentences that its voices have not said to it."""
    model = VitsModel.from_pretrained(BASE_MODEL, dtype=torch.float32).eval()
    tokenizer = VitsTokenizer.from_pretrained(BASE_MODEL)
    frontend, rows = TextFrontend.read(BASE_MODEL), read_speakers(BASE_MODEL)
    numbers = {entry["name"]: entry["index"] for entry in rows.values()}
    clips, truths = [], {}
    for voice in (voice for voice in BASE_VOICES if voice.language == language):
        for number, text in enumerate(invent_texts(voice)[1]):
            speech, starts = espeak.speak(text, voice.voice, voice.words_per_minute, voice.pitch)
            name = f"{voice.name}_{number}"
            sounds = espeak.find_sounds() if language in PHONEMIC else {}
            truths[name] = Truth(text, starts, espeak.find_ends(), sounds)
            clips.append(
                _make_clip(
                    name, text, speech, espeak.sample_rate, numbers[voice.name], frontend, tokenizer
                )
            )
    for name, times in locate_clips(model, CharacterTokenizer.read(BASE_MODEL), clips):
        yield from compare(truths[name], times.words, times.letters)


def _make_clip(
    name: str,
    text: str,
    speech: np.ndarray,
    rate: int,
    speaker: int,
    frontend: TextFrontend,
    tokenizer: VitsTokenizer,
) -> TrainingClip:
    samples = librosa.resample(speech / 32768, orig_sr=rate, target_sr=SAMPLE_RATE)
    audio = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    written, _ = frontend.write(text, tokenizer.get_vocab(), tokenizer.normalize)
    ids = np.asarray(tokenizer(written).input_ids, dtype=np.int64)
    return TrainingClip(name, written, audio, ids, speaker)


def summarise(what: str, errors: Iterable[tuple[str, float]]) -> list[tuple[str, ...]]:
    """Return rows of the table, one for each kind."""
    by_kind = defaultdict(list)
    for kind, error in errors:
        by_kind[kind].append(1000 * error)
    rows = []
    for kind in (AFTER_PAUSE, OTHERS, ENDS, LETTERS):
        if kind in by_kind:
            away = np.abs(by_kind[kind])
            mean, ninth, median = np.mean(away), np.percentile(away, 90), np.median(by_kind[kind])
            figures = (f"{mean:.0f}", f"{ninth:.0f}", f"{median:+.0f}")
            rows.append((what, kind, f"{len(away):,}", *figures))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", help="of the demo, like results/demo")
    results, espeak, rows = parser.parse_args().results, Espeak(), []
    if results:
        with tempfile.TemporaryDirectory() as folder:
            times = Path(folder) / "times"
            write_times(results / "model", results / "dataset", None, times)
            for split, what in (("train", "trained on"), ("validation", "held out")):
                rows += summarise(what, measure_demo(results, split, times, espeak))
    else:
        for language in dict.fromkeys(voice.language for voice in BASE_VOICES):
            rows += summarise(language.capitalize(), measure_base(language, espeak))
    print_table(
        ("clips", "times", "number", "mean error (ms)", "of 90% at most", "median, signed"), rows
    )


if __name__ == "__main__":
    main()

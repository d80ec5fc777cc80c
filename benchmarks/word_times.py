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
from pathlib import Path

import librosa
import numpy as np
import torch
from transformers import VitsModel, VitsTokenizer

from benchmarks.basics import print_table
from lib.base_model.record import read_speakers
from lib.evaluation.time_files import locate_clips, write_times
from lib.evaluation.times import find_words
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


@dataclass(frozen=True)
class Truth:
    """A text, and the seconds at which its words start and end, by their positions in it."""

    text: str
    starts: Mapping[int, float]
    ends: Mapping[int, float]


def compare(truth: Truth, found: Sequence[tuple[float, float]]) -> Iterator[tuple[str, float]]:
    """Yield found less true times in seconds, by kind; the first word of a text has no start.

    Parameters
    ----------
    found
        Start and end of every word.
    """
    places = list(find_words(truth.text))
    if len(places) != len(found):
        return
    for number, ((begin, _), (start, end)) in enumerate(zip(places, found, strict=True)):
        if number and begin in truth.starts:
            kind = AFTER_PAUSE if truth.text[begin - 2] in PAUSE_MARKS else OTHERS
            yield kind, start - truth.starts[begin]
        if begin in truth.ends:
            yield ENDS, end - truth.ends[begin]


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
        words = read_json(times / "clips" / f"{row['clip']}.json")["words"]
        found = [(word["start"], word["end"]) for word in words]
        yield from compare(Truth(text, starts, espeak.find_ends()), found)


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
            truths[name] = Truth(text, starts, espeak.find_ends())
            clips.append(
                _make_clip(
                    name, text, speech, espeak.sample_rate, numbers[voice.name], frontend, tokenizer
                )
            )
    for name, times in locate_clips(model, CharacterTokenizer.read(BASE_MODEL), clips):
        yield from compare(truths[name], [(word.start, word.end) for word in times.words])


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
    for kind in (AFTER_PAUSE, OTHERS, ENDS):
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
        ("clips", "words", "number", "mean error (ms)", "of 90% at most", "median, signed"), rows
    )


if __name__ == "__main__":
    main()

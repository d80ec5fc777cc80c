"""Errors of word times on the demo's corpus, whose times espeak-ng knows.

``python -m benchmarks.word_times results/demo`` after ``make demo``. The sentences are spoken again
by the voices that the corpus was made with, which is how the true starts of their words come about.
Needs the Debian package ``espeak-ng``.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.basics import print_table
from lib.evaluation.time_files import write_times
from lib.evaluation.times import find_words
from lib.files import read_json
from tools.demo.make_corpus import DEMO, VOICES
from tools.espeak import Espeak


def measure_errors(results: Path, split: str, times: Path) -> tuple[list[float], list[float]]:
    """Return found minus true starts in seconds, of words after a pause mark and of the others."""
    voices = {voice.speaker: voice for voice in VOICES}
    truth, texts = (
        {Path(row["file_name"]).stem: row[column] for row in csv.DictReader(path.open("r"))}
        for path, column in (
            (DEMO / "truth.csv", "speaker"),
            (DEMO / "corpus/metadata.csv", "text"),
        )
    )
    espeak = Espeak()
    after_pause, others = [], []
    with (results / "manifest.tsv").open() as manifest:
        clips = [row for row in csv.DictReader(manifest, delimiter="\t") if row["split"] == split]
    for row in clips:
        voice, text = voices[truth[row["clip"]]], texts[row["clip"]]
        _, starts = espeak.speak(text, voice.voice, voice.words_per_minute, voice.pitch)
        found = read_json(times / "clips" / f"{row['clip']}.json")["words"]
        places = list(find_words(text))
        if len(places) != len(found):
            continue
        for (begin, _), word in list(zip(places, found, strict=True))[1:]:
            if begin in starts:
                side = after_pause if text[begin - 2] in ",.;:" else others
                side.append(word["start"] - starts[begin])
    return after_pause, others


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="output folder of the demo, like results/demo")
    results = parser.parse_args().results
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times"
        write_times(results / "model", results / "dataset", None, times)
        for split in ("train", "validation"):
            found = zip(
                ("after a comma", "others"), measure_errors(results, split, times), strict=True
            )
            for what, errors in found:
                milliseconds = 1000 * np.asarray(errors)
                away = np.abs(milliseconds)
                mean, ninth = np.mean(away), np.percentile(away, 90)
                median = np.median(milliseconds)
                row = (split, what, len(away), f"{mean:.0f}", f"{ninth:.0f}", f"{median:+.0f}")
                rows.append(tuple(map(str, row)))
    print_table(
        ("clips", "words", "number", "mean error (ms)", "of 90% at most", "median, signed"), rows
    )


if __name__ == "__main__":
    main()

"""How long a source takes to read when nothing has changed: ``python -m benchmarks.index``.

Every start of Snakemake reads the index of the source; only what changed is looked at again.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from datasets import Audio, Dataset, Features, Value

from benchmarks.basics import print_table, speechlike
from benchmarks.bench import encode_webm, write_corpus
from lib.corpus import Columns, read_corpus, save_corpus

FEATURES = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}})


def write_ljspeech(folder: Path, num_clips: int) -> None:
    """Write metadata.csv with ``id|text`` and wavs/."""
    audio = encode_webm(speechlike(0.6, 48_000, 0))
    (folder / "wavs").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table, delimiter="|")
        for number in range(num_clips):
            (folder / f"wavs/clip{number:06d}.webm").write_bytes(audio)
            rows.writerow([f"clip{number:06d}", f"sentence number {number}"])


def make_dataset(num_clips: int) -> Dataset:
    """Return a dataset with the recordings inside."""
    audio = encode_webm(speechlike(0.6, 48_000, 0))
    numbers = range(num_clips)
    rows = {
        # Recordings that differ, as those of a real source do.
        "audio": [{"bytes": audio + b"%d" % n, "path": f"clip{n:06d}.webm"} for n in numbers],
        "text": [f"sentence number {n}" for n in numbers],
    }
    features = Features({**FEATURES, "text": Value("string")})
    return Dataset.from_dict(rows, features=features).cast_column("audio", Audio(decode=False))


def write_shards(folder: Path, num_clips: int) -> None:
    """Write Parquet files as they are downloaded from the Hub."""
    dataset = make_dataset(num_clips)
    (folder / "data").mkdir(parents=True)
    for shard in range(4):
        name = f"data/train-{shard:05d}-of-00004.parquet"
        dataset.shard(4, shard, contiguous=True).to_parquet(folder / name)


WRITERS: dict[str, Callable[[Path, int], object]] = {
    "folder with metadata.csv": lambda folder, clips: write_corpus(folder, clips, 0.6, 0.6),
    "LJSpeech": write_ljspeech,
    "save_to_disk": lambda folder, clips: make_dataset(clips).save_to_disk(folder),
    "Parquet shards": write_shards,
}


def measure(kind: str, num_clips: int) -> tuple[str, ...]:
    """Seconds of the first reading and of the next one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "source"
        WRITERS[kind](folder, num_clips)
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            corpus = read_corpus(folder, Columns(), Path(scratch) / "cache")
            save_corpus(corpus, Path(scratch) / "cache")
            seconds.append(f"{time.perf_counter() - start:.2f}")
            if len(corpus.clips) != num_clips:
                raise RuntimeError(f"{kind}: {len(corpus.clips)} clips read of {num_clips}")
    return (kind, *seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=6000)
    clips = parser.parse_args().clips
    header = (f"source of {clips:,} clips", "first reading (s)", "nothing changed (s)")
    print_table(header, [measure(kind, clips) for kind in WRITERS])


if __name__ == "__main__":
    main()

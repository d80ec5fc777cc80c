"""What a clip costs the workflow: ``python -m benchmarks.workflow_scale --clips 600 6000``.

Clips of 0.6 s, so that little of the time is work: a dry run of a fresh DAG, the conversion, a
dry run with nothing to do. The cost of the work itself is measured in one process and taken off.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.basics import print_table
from benchmarks.bench import make_project, run_workflow, write_corpus
from lib.audio.convert import convert
from lib.audio.settings import AudioSettings

TARGET = "results/measurements.tsv"


def measure_work(corpus: Path, scratch: Path, sample: int = 100) -> float:
    """Seconds of one core to convert a clip, nothing else included."""
    paths = sorted(corpus.glob("*.webm"))[:sample]
    settings = AudioSettings()
    start = time.perf_counter()
    for path in paths:
        audio = path.read_bytes()
        convert(path.stem, audio, scratch / "x.wav", scratch / "x.json", settings)
    return (time.perf_counter() - start) / len(paths)


def measure(num_clips: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        corpus = write_corpus(scratch / "corpus", num_clips, 0.6, 0.6)
        project = make_project(scratch / "project", corpus)
        fresh = run_workflow(project, "--dry-run", TARGET)
        run = run_workflow(project, TARGET)
        idle = run_workflow(project, "--dry-run", TARGET)
        work = measure_work(corpus, scratch) / 2
    figures = (fresh, run, 1000 * run / num_clips, 1000 * (run / num_clips - work), idle)
    return (f"{num_clips:,}", *(f"{figure:.1f}" for figure in figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[600])
    header = (
        "clips",
        "dry run, fresh (s)",
        "conversion (s)",
        "per clip (ms)",
        "of it overhead (ms)",
        "dry run, nothing to do (s)",
    )
    print_table(header, [measure(number) for number in parser.parse_args().clips])


if __name__ == "__main__":
    main()

"""What a clip costs the workflow: ``python -m benchmarks.workflow_scale --clips 600 6000``.

Clips of 0.6 s, so that little of the time is work: a dry run of a fresh DAG, the conversion, a
dry run with nothing to do. The cost of the work itself is measured in one process and taken off.
With ``--grow`` also everything up to the dataset, and the same again after ten clips were added.
"""

import argparse
import csv
import resource
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.basics import print_table
from benchmarks.bench import make_project, run_workflow, write_corpus
from lib.audio.convert import convert
from lib.config.audio import AudioSettings

TARGET = "results/measurements.tsv"
ADDED = 10
# The clips are copies of some, with texts that are long for their time.
FILTERS_OFF = dict.fromkeys(("duplicate_audio", "speech_rate"), "off")


def measure_work(corpus: Path, scratch: Path, sample: int = 100) -> float:
    """Seconds of one core to convert a clip, nothing else included."""
    paths = sorted(corpus.glob("*.webm"))[:sample]
    settings = AudioSettings()
    start = time.perf_counter()
    for path in paths:
        audio = path.read_bytes()
        convert(path.stem, audio, scratch / "x.wav", scratch / "x.json", settings)
    return (time.perf_counter() - start) / len(paths)


def add_clips(corpus: Path, number: int) -> None:
    """Add copies of a clip to an audiofolder."""
    original = next(corpus.glob("*.webm"))
    with (corpus / "metadata.csv").open("a", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        for added in range(number):
            shutil.copy(original, corpus / f"later{added:03d}.webm")
            rows.writerow([f"later{added:03d}.webm", f"more {added}"])


def measure_plan(num_clips: int) -> tuple[str, ...]:
    """Return a row of the table of dry runs."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder) / "corpus", num_clips, 0.6, 0.6)
        project = make_project(Path(folder) / "project", corpus)
        seconds = run_workflow(project, "--dry-run", TARGET)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return f"{num_clips:,}", f"{seconds:.1f}", f"{memory:.0f}"


def measure(num_clips: int, grow: bool) -> tuple[str, ...]:
    """Return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        corpus = write_corpus(scratch / "corpus", num_clips, 0.6, 0.6)
        project = make_project(scratch / "project", corpus, dataset=FILTERS_OFF)
        fresh = run_workflow(project, "--dry-run", TARGET)
        run = run_workflow(project, TARGET)
        idle = run_workflow(project, "--dry-run", TARGET)
        # Of the largest process so far: Snakemake's own, as no job has loaded anything big.
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        work = measure_work(corpus, scratch) / 2
        growth = ("", "")
        if grow:
            dataset = run_workflow(project, "dataset")
            add_clips(corpus, ADDED)
            growth = (f"{dataset:.1f}", f"{run_workflow(project, 'dataset'):.1f}")
    figures = (fresh, run, 1000 * run / num_clips, 1000 * (run / num_clips - work), idle)
    return (f"{num_clips:,}", *(f"{figure:.1f}" for figure in figures), f"{memory:.0f}", *growth)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[600], help="smallest first")
    parser.add_argument("--grow", action="store_true")
    parser.add_argument("--plan-only", action="store_true", help="dry runs of a fresh DAG")
    arguments = parser.parse_args()
    if arguments.plan_only:
        header = ("clips", "dry run, fresh (s)", "memory (MB)")
        print_table(header, map(measure_plan, arguments.clips))
        return
    header = (
        "clips",
        "dry run, fresh (s)",
        "conversion (s)",
        "per clip (ms)",
        "of it overhead (ms)",
        "dry run, nothing to do (s)",
        "memory (MB)",
        "from there to the dataset (s)",
        f"{ADDED} clips added, to the dataset (s)",
    )
    print_table(header, [measure(number, arguments.grow) for number in arguments.clips])


if __name__ == "__main__":
    main()

"""The whole path with many short clips: ``python -m benchmarks.many_clips --clips 50000``.

Invented clips of 0.8 to 2 s, all settings as they come but the smallest base model, one epoch of
short segments: what grows with the number of clips is what is looked at. A row is a part of the
path, with the seconds it took and the memory of its largest process. With --work a run that was
broken off goes on where it was.
"""

import argparse
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.basics import print_table
from benchmarks.bench import make_project, run_workflow, write_corpus
from benchmarks.workflow_scale import ADDED, FILTERS_OFF, add_clips

SECTIONS = {
    # They are copies of some, with texts that are long for their time.
    "dataset": {**FILTERS_OFF, "max_rejected_share": 1.0},
    "training": {
        "epochs": 1,
        "effective_batch_size": 64,
        "segment_frames": 8,
        "discriminator_channels": 1,
        "checkpoint_every": 1,
        "continue_epochs": 1,
    },
}
PARTS = {
    "conversion": "results/measurements.tsv",
    "embeddings, speakers, dataset": "dataset",
    "training, voice, figures, pages": "all",
}


def measure_part(project: Path, target: str, *arguments: str) -> tuple[str, str]:
    """Run the workflow up to a target; return its seconds, and the MB of the largest process."""
    seconds = run_workflow(project, target, *arguments)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return f"{seconds:.0f}", f"{largest:.0f}"


def count_files(folder: Path) -> tuple[str, str]:
    """Return the number of files below a folder, and their MB."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(sizes):,}", f"{sum(sizes) / 2**20:.0f}"


def measure(work: Path, num_clips: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table."""
    corpus, project = work / "corpus", work / "project"
    if not project.exists():
        shutil.rmtree(corpus, ignore_errors=True)
        write_corpus(corpus, num_clips, 0.8, 2.0, distinct=2000)
        make_project(project, corpus, **SECTIONS)
    yield "dry run, fresh", *measure_part(project, "all", "--dry-run")
    for part, target in PARTS.items():
        yield part, *measure_part(project, target)
    yield "dry run, nothing to do", *measure_part(project, "all", "--dry-run")
    add_clips(corpus, ADDED)
    yield f"{ADDED} clips added, to the dataset", *measure_part(project, "dataset")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=50_000)
    parser.add_argument(
        "--work", type=Path, help="an empty folder, kept; by default one of its own"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        rows = measure(work, arguments.clips)
        print_table(("part", "seconds", "largest process so far (MB)"), rows)
        folders = [work / "project/results", work / "project/.snakemake"]
        files = [(folder.name, *count_files(folder)) for folder in folders]
        print_table(("folder", "files", "MB"), files)


if __name__ == "__main__":
    main()

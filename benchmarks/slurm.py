"""What a cluster costs beside the work: ``python -m benchmarks.slurm --clips 8000``.

Converts clips of 0.6 s once on this machine and once on its SLURM, with `profiles/slurm` as it is,
and tells what Snakemake costs where it was started. ``tools/slurm.sh start FOLDER`` sets the SLURM
up; ``--python`` names an interpreter that has the executor.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.basics import print_table
from benchmarks.bench import make_project, write_corpus

TARGET = "results/measurements.tsv"
ONE = ("--cores", "2", "--resources", "gpu=0")
MANY = ("--workflow-profile", "profiles/slurm")


def run_head(python: str, project: Path, *options: str) -> tuple[float, float, float, int]:
    """Return seconds, seconds of CPU and MB of Snakemake itself, and how many jobs it submitted."""
    log = project / "head.log"
    start = time.perf_counter()
    with log.open("w") as file:
        process = subprocess.Popen(
            [python, "-m", "snakemake", "--configfile", "config.yaml", *options, "--", TARGET],
            cwd=project,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    text = log.read_text()
    if status:
        raise RuntimeError(f"Snakemake failed:\n{text[-3000:]}")
    submitted = len(re.findall("has been submitted with SLURM jobid", text))
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, submitted


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=8000)
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder) / "corpus", arguments.clips, 0.6, 0.6)
        for place, options in (("one machine", ONE), ("SLURM", MANY)):
            project = make_project(Path(folder) / place.replace(" ", "-"), corpus)
            seconds, cpu, memory, jobs = run_head(arguments.python, project, *options)
            rows.append((place, f"{seconds:.0f}", f"{cpu:.0f}", f"{memory:.0f}", jobs))
    header = ("", "to the measurements (s)", "CPU of the head (s)", "memory (MB)", "jobs")
    print_table(header, rows)


if __name__ == "__main__":
    main()

"""Run the demo in a fresh folder: where its time goes, and the figures of its voice.

python -m benchmarks.demo
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.basics import print_table
from benchmarks.bench import ROOT
from lib.files import read_json
from lib.report.timing import read_stages, union_length

CORES = 2
_MEASURED = ("recordings", "before", "after")


def run_demo(results: Path) -> tuple[float, float]:
    """Run the whole workflow; seconds from its start to its end, and those of all cores."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), "--quiet", "all"]
    command += ["--workflow-profile", "profiles/demo", "--configfile", "config/demo.yaml"]
    begin = time.time()
    subprocess.run([*command, "--config", f"output={results}"], cwd=ROOT, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.time() - begin, used.ru_utime + used.ru_stime


def print_times(results: Path, wall: float, computed: float) -> None:
    """Print when each stage ran, and how long nothing did."""
    stages = read_stages(results)
    jobs = [interval for stage in stages for interval in stage.intervals]
    first = min(begin for begin, _ in jobs)
    last = max(end for _, end in jobs)
    rows = [
        [s.name, f"{s.intervals[0][0] - first:.0f}", f"{s.intervals[-1][1] - first:.0f}", s.seconds]
        for s in stages
    ]
    rows.append(["between jobs", "", "", last - first - union_length(jobs)])
    rows.append(["start and end of Snakemake", "", "", wall - (last - first)])
    rows.append(["all", "", "", wall])
    print_table(["stage", "from (s)", "to (s)", "seconds"], [[*r[:3], f"{r[3]:.1f}"] for r in rows])
    sys.stdout.write(f"\n{100 * computed / (CORES * wall):.0f}% of {CORES} cores were busy\n\n")


def print_quality(results: Path) -> None:
    """Print what was measured of every speaker."""
    measured = {what: read_json(results / f"quality/{what}.json") for what in _MEASURED}
    rows = []
    for speaker in measured["recordings"]:
        for what in _MEASURED:
            found = measured[what][speaker]
            understood = [
                f"{found[k]} of {found['sentences_tested']}"
                for k in ("sentences_understood", "words_understood")
            ]
            keys = ("own_similarity", "other_similarity", "distortion", "length_ratio")
            rows.append([speaker, what, *understood, *(found[key] for key in keys)])
    header = ["speaker", "speech", "right of 20", "right word of 20", "own similarity"]
    print_table([*header, "other similarity", "distortion (dB)", "length"], rows)


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, help="keep everything in this new folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results = (arguments.results or Path(scratch) / "results").resolve()
        wall, computed = run_demo(results)
        print_times(results, wall, computed)
        print_quality(results)


if __name__ == "__main__":
    main()

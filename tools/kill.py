"""Kills runs of the whole workflow at random instants: ``.venv/bin/python -m tools.kill``.

One run that is left alone says how long a run takes and what it ends with. Then runs are started
and killed with ``kill -9``, all their processes at once as in a power cut, after a random part of
that time, a third at most; the next one goes on where it was. One that ends before its instant is
compared with the first, file by file, and the next begins from nothing. It ends with status 1 if a
file differs.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.basics import print_table
from benchmarks.bench import ROOT, make_project

DEMO = ROOT / "resources/demo/corpus"
# Quick, and yet every stage is the real one.
SECTIONS = {
    "source": {"path": "data", "language": "eng"},
    "speakers": {"shards": 2},
    "training": {
        "epochs": 3,
        "learning_rate": 1e-3,
        "effective_batch_size": 8,
        "segment_frames": 8,
        "discriminator_channels": 1,
        "discriminator_warmup_steps": 1,
        "checkpoint_every": 1,
        "continue_epochs": 1,
    },
    "evaluation": {"clips": 1, "transcripts": False},
    "samples": {"texts": ["hello there"]},
}
# They tell when something happened and how long it took, or from which files and by which process.
TIMED = ("logs", "benchmarks", "tensorboard", "curves", "source")
PROCESSES = (".lock",)
# Drawn at random by `datasets` for every dataset.
DRAWN = re.compile(rb'"_fingerprint": "\w+"')

# A run is left alone for a part of its time at most, so that most starts are killed: what was done
# is kept, and the instants come to all stages.
STARTS = 3


class KillError(RuntimeError):
    """A run failed, or ended with something else than one that was left alone."""


def write_project(folder: Path, clips: int) -> Path:
    """Write a copy of the workflow with some clips of the demo, in turns of its voices."""
    make_project(folder, Path("data"), **SECTIONS)
    (folder / "data").mkdir()
    header, *rows = (DEMO / "metadata.csv").read_text("utf-8").splitlines()
    chosen = rows[: 2 * clips : 2]
    for row in chosen:
        name = row.partition(",")[0]
        shutil.copy(DEMO / name, folder / "data" / name)
    (folder / "data/metadata.csv").write_text("\n".join([header, *chosen]) + "\n", "utf-8")
    return folder


def start(project: Path) -> subprocess.Popen:
    """Start the workflow, as the leader of a group that all its processes belong to."""
    line = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml"]
    with (project / "run.log").open("w") as log:
        return subprocess.Popen(
            [*line, "--workflow-profile", "profiles/ci"],
            cwd=project,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run_for(project: Path, seconds: float | None) -> bool:
    """Run the workflow; kill it after so many seconds. Return whether it came to its end.

    Raises
    ------
    KillError
        If it fails by itself.
    """
    process = start(project)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    if status:
        told = (project / "run.log").read_text("utf-8")[-4000:]
        raise KillError(f"{project}: the run ended with status {status}:\n{told}")
    return True


def read_stage(project: Path) -> str:
    """Return the rule that a run was in: the last that it named, or its start."""
    begun = re.findall(r"^\[[\d:]+\] (\w+)", (project / "run.log").read_text("utf-8"), re.MULTILINE)
    return begun[-1] if begun else "start"


def digest_results(results: Path) -> dict[str, str]:
    """Return the digest of every file that is compared, by its path below the results."""
    files = (path for path in sorted(results.rglob("*")) if path.is_file())
    names = {path.relative_to(results): path for path in files}
    return {
        str(name): hashlib.sha256(DRAWN.sub(b"", path.read_bytes())).hexdigest()
        for name, path in names.items()
        if name.parts[0] not in TIMED and name.suffix not in PROCESSES
    }


def find_differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return what is missing, more or other, a line each."""
    lines = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    lines += [f"{name} is there as well" for name in sorted(found.keys() - expected.keys())]
    both = sorted(expected.keys() & found.keys())
    return lines + [f"{name} is another" for name in both if expected[name] != found[name]]


def kill_runs(work: Path, times: int, clips: int, seed: int) -> tuple[Counter[str], int]:
    """Kill runs, and compare what they end with.

    Returns
    -------
    tuple
        How often a run was killed by the stage that it was in, and how many were compared.

    Raises
    ------
    KillError
        If a run fails, or ends with something else.
    """
    chance = random.Random(seed)
    # All are copies of this one, so that the workflow may be worked on meanwhile.
    template = write_project(work / "template", clips)
    alone = shutil.copytree(template, work / "alone")
    begin = time.monotonic()
    run_for(alone, None)
    duration = time.monotonic() - begin
    expected = digest_results(alone / "results")
    killed: Counter[str] = Counter()
    compared, project = 0, work / "killed0"
    # The last one that was killed comes to its end, too.
    while killed.total() < times or compared == 0 or project.exists():
        project = work / f"killed{compared}"
        if not project.exists():
            shutil.copytree(template, project)
        longest = duration / STARTS
        seconds = chance.uniform(0, longest) if killed.total() < times else None
        if run_for(project, seconds):
            compare(project, expected)
            shutil.rmtree(project)
            compared += 1
        else:
            killed[read_stage(project)] += 1
            sys.stdout.write(f"{killed.total()} of {times}: {seconds:.1f} s\n")
            sys.stdout.flush()
    return killed, compared


def compare(project: Path, expected: Mapping[str, str]) -> None:
    """Compare the results of a run.

    Raises
    ------
    KillError
        Naming the files that differ.
    """
    if differences := find_differences(expected, digest_results(project / "results")):
        shown = "\n".join(f"  {line}" for line in differences[:20])
        raise KillError(
            f"{project}: {len(differences)} files are not those of a run left alone:\n{shown}"
        )


def main(line: Sequence[str] | None = None) -> None:
    """Kill runs and print how it went."""
    parser = argparse.ArgumentParser(prog="python -m tools.kill", description=__doc__)
    parser.add_argument("--times", type=int, default=30, help="how often a run is killed")
    parser.add_argument("--clips", type=int, default=24, help="of the demo, 8 to 101")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    parser.add_argument(
        "--work", type=Path, help="an empty folder, kept; by default one of its own"
    )
    arguments = parser.parse_args(line)
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        try:
            killed, compared = kill_runs(work, arguments.times, arguments.clips, arguments.seed)
        except KillError as error:
            sys.exit(str(error))
    print_table(("killed in", "times"), sorted(killed.items()))
    sys.stdout.write(f"\n{compared} runs ended, each equal to one that was left alone\n")


if __name__ == "__main__":
    main()

"""On a SLURM of one node the workflow makes what one machine makes, whatever happens to it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.slurm import Cluster, slurm  # noqa: F401

from .conftest import (
    CONFIG,
    FIRST,
    Project,
    add_clips,
    environment,
    find_names,
    make_project,
    note_starts,
)

TARGET = "results/model"
# One thread: as many give the same bits, and tests share the cores.
THREADS = ("--set-threads", "train_model=1")
# Of the results, what tells of the run and not of the voice: numbers of processes, times of files.
OF_THE_RUN = ("logs", "benchmarks", "tensorboard", "curves", "checkpoints")
OF_THE_RUN += ("state/run.lock", "state/training.lock", "source/content_hashes.json")
# The executor asks for its jobs after 40 s, and then less and less often.
HEAD = """
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
RemoteExecutor.next_seconds_between_status_checks = property(lambda _: 1, lambda *_: None)
from snakemake.cli import main
main()
"""
# Five conversions are a job.
OPTIONS = ("--configfile", "config.yaml", "--workflow-profile", "profiles/slurm")
OPTIONS += ("--latency-wait", "5", "--group-components", "convert_audio=5")


def start(project: Project, *command: str | Path) -> subprocess.Popen:
    """Start a program in a project; what it says goes to said.log there."""
    with (project.folder / "said.log").open("w") as log:
        return subprocess.Popen(
            command, cwd=project.folder, env=environment(), stdout=log, stderr=subprocess.STDOUT
        )


def wait_for(condition, running: subprocess.Popen, seconds: float = 500):
    """Return what a condition gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert running.poll() is None, "the workflow has ended"
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


class Training:
    """The training of a project while it runs as a job."""

    def __init__(self, project: Project, cluster: Cluster, running: subprocess.Popen) -> None:
        self.project, self.cluster, self.running = project, cluster, running
        self.logs: list[str] = []

    def job(self) -> dict[str, str]:
        """The job as SLURM sees it."""
        return self.cluster.jobs("rule_train_model")[-1]

    def find(self) -> int | None:
        """Return the number of its process."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.endswith(b".train_model.py") for word in words[1:]) and (
                str(self.project.folder).encode() in b" ".join(words)
            ):
                return int(path.name)
        return None

    def hold(self, after: int) -> None:
        """Let it reach the end of an epoch, and stop it there: no machine is too fast for this."""
        mark = self.project.results / f"checkpoints/epoch{after:04d}/state.json"
        wait_for(mark.is_file, self.running)
        os.kill(wait_for(self.find, self.running), signal.SIGSTOP)
        self.logs.append((self.project.results / "logs/train_model.log").read_text())


def disturb(training: Training) -> None:
    """Let the time of the training run out, set its node down, and cancel it."""
    training.hold(after=1)
    first = training.job()
    assert first["Partition"] == "gpu" and first["Restarts"] == "0"
    assert "gpu:1" in first["TresPerJob"] and first["TimeLimit"] == "1-00:00:00"
    training.cluster.update(jobid=first["JobId"], EndTime="now+60")
    # The signal lets it go on, and comes within half a minute: so often SLURM looks.
    wait_for(lambda: training.job()["JobId"] != first["JobId"], training.running)

    training.hold(after=3)
    second = training.job()
    training.cluster.update(nodename=training.cluster.node, state="down", reason="test")
    wait_for(lambda: training.job()["JobState"] == "PENDING", training.running)
    wait_for(lambda: training.find() is None, training.running)
    training.cluster.update(nodename=training.cluster.node, state="resume")
    wait_for(lambda: training.job()["JobState"] == "RUNNING", training.running)
    again = training.job()
    assert (again["JobId"], again["Restarts"]) == (second["JobId"], "1")

    training.hold(after=5)
    subprocess.run(["scancel", again["JobId"]], check=True)
    wait_for(lambda: training.job()["JobId"] != again["JobId"], training.running)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the results that are the same wherever they were made."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith(OF_THE_RUN):
            # The library `datasets` draws a fingerprint of its own at every save.
            files[name] = re.sub(rb'"_fingerprint": "\w+"', b"", path.read_bytes())
    return files


@pytest.mark.slow
def test_what_slurm_makes_is_what_one_machine_makes(slurm, tmp_path):  # noqa: F811
    one = make_project(tmp_path / "one")
    add_clips(one, find_names(FIRST[:12]))
    one.configure(
        training={**CONFIG["training"], "epochs": 8}, speakers={"second_opinion": None, "shards": 1}
    )
    many = one.copy(tmp_path / "many")
    starts = note_starts(many)
    # Both at a time: on SLURM the most is waiting.
    alone = start(one, *one.command(TARGET, *THREADS))
    head = start(many, slurm.python, "-c", HEAD, *OPTIONS, *THREADS, "--", TARGET)
    try:
        training = Training(many, slurm, head)
        disturb(training)
        assert (head.wait(timeout=500), alone.wait(timeout=500)) == (0, 0)
    finally:
        for running, project in ((head, many), (alone, one)):
            running.kill()
            sys.stdout.write((project.folder / "said.log").read_text()[-4000:])
    made, expected = read_files(many.results), read_files(one.results)
    assert made.keys() == expected.keys()
    assert [name for name in made if made[name] != expected[name]] == []
    # Twelve conversions were three jobs, of one Snakemake each; everything that takes long was one.
    assert len(slurm.jobs("rule_convert_audio")) == 3
    commands = starts.read_text().splitlines()
    assert sum("--allowed-rules convert_audio --" in command for command in commands) == 3
    for rule in ("embed_speakers", "cluster_speakers", "build_dataset", "fit_base_model"):
        assert len(slurm.jobs(f"rule_{rule}")) == 1
    assert [job["JobState"] for job in slurm.jobs("rule_train_model")] == [
        "FAILED",
        "CANCELLED",
        "COMPLETED",
    ]
    # Every attempt but the first went on where the one before was.
    assert ["Going on at epoch" in log for log in training.logs] == [False, True, True]
    again = many.run("--dry-run", TARGET)
    assert again.nothing_to_do

"""A training on machines that share no disk with this one: Kubernetes and Vast.ai, as far as here.

The executors are the real ones, and so is what they run; the cluster, the market and the lines to
them are this machine's (tests/fixtures/pods.py, market.py).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lib.files import read_json
from tests.fixtures.slurm import make_python

from .conftest import (
    CONFIG,
    ROOT,
    Project,
    environment,
)

# A storage that is a folder, where others have a bucket. It calls rsync.
FOLDER_STORAGE = ("snakemake-storage-plugin-fs==1.1.3", "reretry==0.11.8", "sysrsync==1.1.1")
FOLDER_STORAGE += ("toml==0.10.2",)
PROGRAMS = {
    # Jobs of Kubernetes install the storage plugin, which is here already.
    "pip": "exit 0",
    "python": 'exec "{python}" "$@"',
    "python3": 'exec "{python}" "$@"',
    "ssh": 'for command; do :; done\nexec sh -c "$command"',
    "scp": "for last; do from=$to; to=$last; done\n"
    'exec cp "${{from#root@rented:}}" "${{to#root@rented:}}"',
    "ssh-keygen": 'for file; do :; done\necho key > "$file"; echo key > "$file.pub"',
}


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """An interpreter that has the plugins; Snakemake imports all there are at every start."""
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    files = [
        word for name in ("kubernetes", "vastai") for word in ("-r", ROOT / f"envs/{name}.txt")
    ]
    return make_python(tmp_path_factory.mktemp("plugins"), *map(str, files), *FOLDER_STORAGE)


@pytest.fixture(scope="module")
def tracked(finished, tmp_path_factory) -> Project:
    """The finished project as a repository: what it tracks goes to the machines."""
    project = finished.copy(tmp_path_factory.mktemp("tracked") / "project")
    for command in (("init", "--quiet"), ("add", "Snakefile", "lib", "workflow", "config")):
        subprocess.run(["git", *command], cwd=project.folder, check=True)
    return project


def make_machine(folder: Path, python: Path) -> Path:
    """Make the folder of a cluster or a market, with the programs that are called there."""
    (folder / "bin").mkdir(parents=True)
    for name, text in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text("#!/bin/sh\n" + text.format(python=python) + "\n")
        program.chmod(0o755)
    return folder


def start(project: Project, python: Path, head: str, machine: Path, *arguments: str | Path):
    """Start Snakemake in a project; what it says goes to said.log there."""
    command = [python, ROOT / f"tests/fixtures/{head}.py", machine, *arguments]
    path = f"{machine / 'bin'}{os.pathsep}{os.environ['PATH']}"
    variables = {**environment(), "PATH": path, "VAST_API_KEY": "key"}
    with (project.folder / "said.log").open("w") as log:
        return subprocess.Popen(
            command, cwd=project.folder, env=variables, stdout=log, stderr=subprocess.STDOUT
        )


def wait(project: Project, running: subprocess.Popen, machine: Path) -> None:
    """Wait for Snakemake, and say what it and its jobs said if it failed."""
    try:
        status = running.wait(timeout=500)
    finally:
        running.kill()
        sys.stdout.write((project.folder / "said.log").read_text()[-5000:])
        for log in machine.glob("**/*.log"):
            sys.stdout.write(f"\n{log}\n{log.read_text()[-3000:]}")
    assert status == 0


def name_profile(name: str, *more: str | Path) -> list[str | Path]:
    return ["--configfile", "config.yaml", "--workflow-profile", f"profiles/{name}", *more]


def in_folder(machine: Path) -> list[str | Path]:
    """Options for a storage that is a folder, which a bucket stands for in the profile."""
    storage = ["--default-storage-provider", "fs"]
    return [*storage, "--default-storage-prefix", machine / "bucket/voice"]


# ---------------------------------------------------------------- the ways there and back


@pytest.mark.slow
def test_a_pod_is_lost_and_the_next_one_goes_on_from_what_was_kept(tracked, python, tmp_path):
    project = tracked.copy(tmp_path / "project")
    # A folder of a persistent volume.
    project.configure(training={**CONFIG["training"], "keep_at": f"{tmp_path}/kept"})
    cluster = make_machine(tmp_path / "cluster", python)
    command = [*name_profile("kubernetes", *in_folder(cluster)), "--latency-wait", "5"]
    running = start(project, python, "pods", cluster, *command, "--", "results/model")
    try:
        while not list(tmp_path.glob("kept/*/checkpoints/epoch0001/state.json")):
            assert running.poll() is None, "it ended before the pod could be lost"
            time.sleep(0.02)
        os.killpg(int((cluster / "pod1.pid").read_text()), signal.SIGKILL)
    finally:
        wait(project, running, cluster)
    # The training alone went there, and what it needs beside the repository came by the storage.
    assert sorted(path.name for path in cluster.glob("pod?")) == ["pod1", "pod2"]
    assert not (cluster / "pod2/results/clips").exists()
    assert (
        "which was kept at" in (cluster / "bucket/voice/results/logs/train_model.log").read_text()
    )
    # What came of it is here, in its usual places, without the checkpoints.
    summary = read_json(project.results / "training.json")
    assert summary["epoch"] == 2 and summary["finished"]
    assert (project.results / summary["best"] / "ema.safetensors").is_file()
    assert not (project.results / "checkpoints").exists()
    assert (project.results / "model/model.safetensors").is_file()
    check_pod(json.loads((cluster / "pod1.json").read_text()), read_profile("kubernetes"))
    # Snakemake knows it there, and on this machine alone trains nothing.
    assert "Nothing to be done" in dry_run(project, python, *command, "--", "results/model")
    assert "train_model" not in project.run("--dry-run", "results/model").jobs


def check_pod(job: dict, profile: dict) -> None:
    """Check what a pod is, and what it asks the cluster for."""
    assert job["spec"]["backoffLimit"] == 0
    pod = job["spec"]["template"]["spec"]
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    (container,) = pod["containers"]
    assert container["image"] == profile["container-image"]
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    # Kubernetes takes no card whose limit is not what is asked for.
    assert limits["nvidia.com/gpu"] == requests["nvidia.com/gpu"] == "1"
    assert limits["memory"] == requests["memory"] and int(limits["memory"][:-1]) >= 8000
    assert limits["ephemeral-storage"] == "60000M" and limits["cpu"] == "4000m"
    (shell,) = container["args"][1:]
    assert "--allowed-rules train_model " in shell and "--deploy-sources" in shell


@pytest.mark.slow
def test_a_rented_machine_gets_the_data_over_ssh_and_is_given_back(tracked, python, tmp_path):
    project = tracked.copy(tmp_path / "project")
    market = make_machine(tmp_path / "market", python)
    command = [*name_profile("vastai"), "--latency-wait", "5", "--", "results/training.json"]
    wait(project, start(project, python, "market", market, *command), market)
    asked = [json.loads(line) for line in (market / "asked.jsonl").read_text().splitlines()]
    # One machine was rented, by what the profile asks for, and given back.
    (search,) = (entry["content"] for entry in asked if "/bundles/" in entry["url"])
    profile = read_profile("vastai")
    assert search["gpu_name"] == {"eq": "RTX 3060"} and search["num_gpus"] == {"eq": "1"}
    assert float(search["dph_total"]["lte"]) == profile["vastai-max-price"]
    assert search["order"] == [["dph_total", "asc"]]
    assert search["cpu_ram"]["gte"] >= 8000 and search["allocated_storage"] == 60
    assert search["cpu_cores_effective"] == {"gte": "4"}
    (rent,) = (entry["content"] for entry in asked if entry["method"] == "PUT")
    assert rent["image"] == profile["vastai-image"]
    assert [entry["method"] for entry in asked].count("DELETE") == 1
    rented = market / "rented"
    assert {path.name for path in rented.glob("results/*")} >= {"dataset", "checkpoints"}
    assert not (rented / "results/clips").exists() and not (rented / "data").exists()
    assert (project.results / "logs/train_model.log").is_file()
    assert not (project.results / "checkpoints").exists()
    assert (project.results / "weights/best/ema.safetensors").is_file()
    targets = ("results/training.json", "results/weights", "results/curves")
    assert project.run("--dry-run", *targets).nothing_to_do


# ---------------------------------------------------------------- before anything is paid for


def read_profile(name: str) -> dict:
    return yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text("utf-8"))


def dry_run(project: Project, python: Path, *arguments: str | Path, status: int = 0) -> str:
    done = subprocess.run(
        [python, "-m", "snakemake", "--dry-run", *arguments],
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, done.stdout[-4000:]
    return done.stdout


@pytest.mark.parametrize("name", ["kubernetes", "vastai"])
def test_a_dry_run_asks_for_a_card_and_pays_for_nothing(tracked, python, tmp_path, name):
    project = tracked.copy(tmp_path / "project")
    storage = in_folder(tmp_path) if name == "kubernetes" else ()
    said = dry_run(project, python, *name_profile(name, *storage))
    training = said[said.index("rule train_model:") :].split("\n\n")[0].split("\n[")[0]
    assert "gpu=1" in training
    assert ("gpu_manufacturer=nvidia" if name == "kubernetes" else "gpu_model=RTX_3060") in training
    # The results come to their places, whatever carries them.
    assert "results/weights" in training and ("to storage" in training) == (name == "kubernetes")
    project.configure(output=str(tmp_path / "elsewhere"))
    said = dry_run(project, python, *name_profile(name, *storage), status=1)
    assert "is not below this folder" in said and "give a path like results" in said

"""A training that came back from another machine is up to date for the workflow."""

import shutil
import subprocess
import sys

import pytest

from .conftest import CONFIG, ROOT, environment


def call(project, *arguments: str) -> None:
    command = [sys.executable, "-m", "lib.bundle", *arguments, "--config", "config.yaml"]
    done = subprocess.run(
        command, cwd=project.folder, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def read_receive(project) -> list[str]:
    """Return the arguments with which `make receive` lets Snakemake note the training."""
    text = (project.folder / "Makefile").read_text()
    line = text[text.index("--touch") :].split("\n")[0]
    arguments = line.removesuffix("; }").replace('"$$output/training.json"', "TARGET").split()
    return ["results/training.json" if part == "TARGET" else part for part in arguments]


@pytest.mark.slow
def test_what_came_back_is_not_trained_again(finished, tmp_path):
    project = finished.copy(tmp_path / "home")
    for file in ("Makefile", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / file, project.folder)
    # An earlier training here, with other settings.
    project.configure(training={**CONFIG["training"], "epochs": 1, "learning_rate": 2e-3})
    project.run("results/training.json")
    project.configure(training=CONFIG["training"])
    assert project.run("--dry-run", "results/training.json").jobs == {"train_model": 1}
    call(project, "pack", "results", "bundle")
    rented = tmp_path / "rented"
    shutil.copytree(project.folder / "bundle", rented)
    command = [sys.executable, "train.py", "--python", sys.executable, "--cpu"]
    done = subprocess.run(command, cwd=rented, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copytree(rented / "trained", project.folder / "bundle/trained")
    call(project, "receive", "bundle", "results")
    project.run(*read_receive(project))
    assert project.run("--dry-run", "results/training.json").nothing_to_do
    made = (project.results / "training.json").read_bytes()
    assert made == (rented / "trained/training.json").read_bytes()

"""Two GPUs are two processes, started by the rule; without cards they share the CPU."""

import json
import os
import signal
import subprocess
import time

import pytest
import torch
from safetensors.torch import load_file

from .conftest import CONFIG, environment

TWO = ("--set-resources", "train_model:gpu=2", "--resources", "gpu=2")


@pytest.fixture(scope="module")
def fitted(finished, tmp_path_factory):
    """A project run up to the fitted base model.

    Adam divides a gradient by its own size: with its usual epsilon, one that is rounding alone
    would move its weight as far as any other.
    """
    project = finished.copy(tmp_path_factory.mktemp("fitted") / "project")
    project.configure(training={**CONFIG["training"], "adam_epsilon": 1e-3})
    project.run("results/base_model")
    return project


@pytest.fixture(scope="module")
def of_one(fitted, tmp_path_factory):
    """The same project, trained by one process."""
    project = fitted.copy(tmp_path_factory.mktemp("one") / "project")
    project.run("results/model")
    assert "processes" not in read_log(project)
    return project


def read_log(project) -> str:
    return (project.results / "logs/train_model.log").read_text()


def assert_trained_as(project, of_one) -> None:
    """The weights of one process, within what float sums differ."""
    summary, expected = (
        json.loads((each.results / "training.json").read_text()) for each in (project, of_one)
    )
    for key in ("step", "epoch", "best_epoch", "finished"):
        assert summary[key] == expected[key], key
    two, one = (load_file(p.results / "model/model.safetensors") for p in (project, of_one))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_the_rule_trains_with_two_processes_as_with_one(fitted, of_one, tmp_path):
    project = fitted.copy(tmp_path / "project")
    project.run("results/model", *TWO)
    assert "Training in 2 processes" in read_log(project)
    assert_trained_as(project, of_one)
    assert project.run("--dry-run", "results/model").nothing_to_do


def test_after_a_kill_of_all_the_rule_goes_on_with_two_processes(fitted, of_one, tmp_path):
    """Power is cut: Snakemake, the training and both of its processes end at once."""
    project = fitted.copy(tmp_path / "project")
    running = subprocess.Popen(
        project.command("results/model", *TWO),
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not (project.results / "checkpoints/epoch0001/state.json").is_file():
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (project.results / "training.json").exists()
    project.run("results/model", *TWO)
    assert "Going on at epoch 1" in read_log(project)
    assert_trained_as(project, of_one)

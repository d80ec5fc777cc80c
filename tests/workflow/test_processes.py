"""Two GPUs are two processes, started by the rule; without cards they share the CPU."""

import json

import torch
from safetensors.torch import load_file

from .conftest import CONFIG

TWO = ("--set-resources", "train_model:gpu=2", "--resources", "gpu=2")


def test_the_rule_trains_with_two_processes_as_with_one(project):
    """From the same dataset: the weights of one, within what float sums differ.

    Adam divides a gradient by its own size: with its usual epsilon, one that is rounding alone
    would move its weight as far as any other.
    """
    project.configure(training={**CONFIG["training"], "epochs": 1, "adam_epsilon": 1e-3})
    project.run("results/base_model")
    project.run("results/model", *TWO)
    log = (project.results / "logs/train_model.log").read_text()
    assert "Training in 2 processes" in log
    two = load_file(project.results / "model/model.safetensors")
    summary = json.loads((project.results / "training.json").read_text())
    for made in ("checkpoints", "tensorboard", "training.json", "model"):
        (project.results / made).rename(project.results / f"{made}.two")
    project.run("results/model")
    assert "processes" not in (project.results / "logs/train_model.log").read_text()
    one = load_file(project.results / "model/model.safetensors")
    again = json.loads((project.results / "training.json").read_text())
    assert (summary["step"], summary["epoch"]) == (again["step"], again["epoch"])
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)
    assert project.run("--dry-run", "results/model").nothing_to_do

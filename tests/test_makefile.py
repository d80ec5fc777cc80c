"""Targets refuse in seconds what cannot work."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def make(*arguments: str) -> subprocess.CompletedProcess:
    # Under `make test` these would make it a sub-make, which talks about directories.
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
    env = {key: value for key, value in os.environ.items() if key not in outer}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=env, capture_output=True, text=True)


def test_a_configuration_that_does_not_exist_is_named():
    for target in ("run", "dry-run", "report", "tensorboard"):
        done = make(target, "CONFIG=config/nobody.yaml")
        assert done.returncode == 2
        assert "CONFIG=config/nobody.yaml: there is no such file" in done.stderr
        assert "Traceback" not in done.stderr


def test_help_lists_every_target_once_and_make_has_nothing_to_warn_of():
    done = make("help")
    targets = [line.split()[0] for line in done.stdout.splitlines()]
    expected = "help setup demo run dry-run test lint bench report tensorboard clean"
    assert targets == expected.split()
    assert done.stderr == ""

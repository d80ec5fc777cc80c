"""The container is true to the pins; that it can be built is not tested here."""

import json
import re
import shlex
import subprocess

import pytest

from tests.test_layout import ROOT

TEXT = (ROOT / "Containerfile").read_text("utf-8")


def read_steps() -> list[tuple[str, str]]:
    """Return instructions and what they are given, without comments, lines joined."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.split("\n")]


STEPS = read_steps()
RUNS = [given for step, given in STEPS if step == "RUN"]


def test_every_instruction_is_one():
    known = {"ARG", "FROM", "RUN", "COPY", "ENV", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert {step for step, _ in STEPS} == known


@pytest.mark.parametrize("given", RUNS)
def test_what_it_runs_is_a_shell_line(given):
    assert subprocess.run(["sh", "-n", "-c", given]).returncode == 0


def test_versions_are_those_of_the_requirements_and_nowhere_else():
    assert not re.search(r"==\s*\d", TEXT), "pins are in requirements.txt"
    assert sum("--requirement /opt/voice/requirements.txt" in given for given in RUNS) == 1
    python = dict(given.split("=") for step, given in STEPS if step == "ARG")["PYTHON"]
    environments = [path.read_text("utf-8") for path in (ROOT / "envs").glob("*.yaml")]
    assert environments and all(f"- python={python}\n" in text for text in environments)


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("cpu", ["--no-cache-dir --index-url INDEX TORCH", "--no-cache-dir --requirement FILE"]),
        ("cuda", ["--no-cache-dir --requirement FILE"]),
        ("gpu", []),
    ],
)
def test_a_variant_installs_its_build_of_torch(tmp_path, variant, expected):
    """The line is run with a pip that only says what it was asked for."""
    pip = tmp_path / "pip"
    pip.write_text('#!/bin/sh\nshift\necho "$@"\n')
    pip.chmod(0o755)
    (line,) = (given for given in RUNS if "pip install" in given)
    file = str(ROOT / "requirements.txt")
    line = line.replace("/opt/voice/requirements.txt", shlex.quote(file))
    done = subprocess.run(
        ["sh", "-c", line],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "VARIANT": variant, "CPU_INDEX": "INDEX"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) == bool(expected)
    (torch,) = re.findall(r"^torch==[\d.]+", (ROOT / "requirements.txt").read_text(), re.M)
    said = [x.replace("TORCH", torch).replace("FILE", file) for x in expected]
    assert done.stdout.splitlines() == said
    assert ("expected cpu or cuda" in done.stderr) == (not expected)


def test_it_holds_what_the_workflow_needs():
    copied = {given.split()[0] for step, given in STEPS if step == "COPY"}
    assert all((ROOT / name).exists() for name in copied)
    assert copied >= {"Snakefile", "lib", "workflow", "config", "envs", "profiles"}
    (entry,) = (json.loads(given) for step, given in STEPS if step == "ENTRYPOINT")
    inner = [part.removeprefix("/opt/voice/") for part in entry if part.startswith("/opt/voice/")]
    assert inner == ["Snakefile", "profiles/default"]
    assert all((ROOT / name).exists() for name in inner)


def test_nothing_of_the_user_s_gets_into_it():
    ignored = (ROOT / ".containerignore").read_text("utf-8").split()
    assert ignored[0] == "*" and all(line.startswith("!") for line in ignored[1:])
    copied = {given.split()[0] for step, given in STEPS if step == "COPY"}
    assert {line[1:] for line in ignored[1:]} == copied

"""A run of the tests ends with what it did not test."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


EXAMPLE = """
import pytest

@pytest.mark.skip(reason="nothing to hear")
def test_a():
    pass

@pytest.mark.parametrize("number", [1, 2])
def test_b(number):
    pytest.skip("no disk")
"""


def test_skipped_tests_are_named_with_their_reasons(tmp_path):
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    last = done.stdout[done.stdout.index("3 skipped") :]
    assert "test_example.py::test_a: nothing to hear" in last
    assert "test_example.py::test_b[1]: no disk" in last
    assert "test_example.py::test_b[2]: no disk" in last


def test_the_automatic_run_installs_the_programs_that_tests_look_for():
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert "for program in chromium espeak-ng rsync munged slurmctld slurmd sbatch" in script
    assert script.rstrip().endswith("make test")
    assert subprocess.run(["bash", "-n", ROOT / ".ci/run"]).returncode == 0


def test_the_licence_covers_what_the_readme_says():
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    section = (ROOT / "README.md").read_text("utf-8").split("## Licence")[1].split("\n## ")[0]
    for word in ("the code", "resources/demo", "resources/base_model", "Never the MMS weights"):
        assert word in section

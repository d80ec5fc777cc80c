"""The benchmark for a GPU runs from end to end on the CPU, in small, and says what fails."""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks import gpu

ROOT = Path(__file__).resolve().parents[2]
# What a GPU box may lack: everything but torch, transformers, accelerate, numpy and what they need.
MISSING = ("pyarrow", "soundfile", "tensorboard", "datasets", "librosa", "numba", "snakemake", "av")


def test_every_part_runs_on_a_bare_machine():
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({MISSING!r}))\n"
        "from benchmarks import gpu\n"
        "sys.exit(gpu.main([]))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = re.findall(r"^\| (.+?) \| .+ \|", done.stdout, re.MULTILINE)
    for what in ("alignment", "without waiting", "going on", "of memory", "12 GB", "8 GB", "fp16"):
        assert any(what in row for row in rows), what
    assert "FAILS" not in done.stdout


def test_a_part_that_breaks_is_named_and_the_others_run(monkeypatch, capsys):
    def broken(bench):
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(gpu, "PARTS", (broken, gpu.alignment))
    assert gpu.main([]) == 1
    shown = capsys.readouterr().out
    assert "| broken | RuntimeError: no kernel image | FAILS |" in shown
    assert "equal to its definition" in shown


def test_a_wrong_alignment_fails(monkeypatch):
    original = gpu.maximum_path
    monkeypatch.setattr(gpu, "maximum_path", lambda *a: original(*a).flip(1))
    assert gpu.main(["--only", "alignment"]) == 1

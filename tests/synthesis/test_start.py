"""The command imports only what it needs, because most of its time is loading."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_NEEDED = {"av", "datasets", "jsonschema", "librosa", "matplotlib", "numba", "pocketsphinx"}
# soxr, uroman and scipy are there as well: transformers imports them itself.
NOT_NEEDED |= {"pypinyin", "resemblyzer", "snakemake", "tensorboard"}
# What an ONNX file needs nothing of.
HEAVY = {"torch", "transformers", "onnx", "pyarrow", "soxr", "uroman", "scipy", "pydantic", "yaml"}


def list_loaded(line: list[str], unwanted: set[str]) -> list[str]:
    """Return which modules a command has imported in the end."""
    program = (
        f"import sys; from lib.synthesis.__main__ import main; main({line!r});"
        f"print(sorted({unwanted} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_synthesis_loads_no_library_that_it_does_not_need(tmp_path):
    line = ["resources/base_model", "hello", "--output", str(tmp_path / "a.wav")]
    assert list_loaded(line, NOT_NEEDED) == "[]"
    assert (tmp_path / "a.wav").is_file()


@pytest.mark.parametrize("folder", ["model", "onnx"])
def test_an_onnx_file_is_spoken_without_torch(run_folder, tmp_path, folder):
    """Also where the model is given: its ONNX file is beside it."""
    line = [str(run_folder / folder), "Hello. How are you?", "--output", str(tmp_path / "a.wav")]
    assert list_loaded(line, NOT_NEEDED | HEAVY) == "[]"
    assert (tmp_path / "a.wav").is_file()


def test_a_table_is_read_out_without_torch(run_folder, tmp_path):
    (tmp_path / "texts.csv").write_text("id,text\na,hello there\n")
    line = ["table", str(run_folder / "model"), str(tmp_path / "texts.csv"), str(tmp_path / "out")]
    assert list_loaded([*line, "--format", "flac"], NOT_NEEDED | HEAVY) == "[]"
    assert (tmp_path / "out/a.flac").is_file()

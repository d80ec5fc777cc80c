"""The command imports only what it needs, because most of its time is loading."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_NEEDED = {"av", "datasets", "jsonschema", "librosa", "matplotlib", "numba", "pocketsphinx"}
# soxr, uroman and scipy are there as well: transformers imports them itself.
NOT_NEEDED |= {"pypinyin", "resemblyzer", "snakemake", "tensorboard"}


def test_synthesis_loads_no_library_that_it_does_not_need(tmp_path):
    program = (
        "import sys; from lib.synthesis.__main__ import main;"
        f"main(['resources/base_model', 'hello', '--output', {str(tmp_path / 'a.wav')!r}]);"
        f"print(sorted({NOT_NEEDED} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (tmp_path / "a.wav").is_file()
    assert done.stdout.strip() == "[]"

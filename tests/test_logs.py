"""What a job says, and where."""

import subprocess
import sys
from pathlib import Path

from lib.logs import MAX_MESSAGES

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import logging, sys
from lib.logs import start_log
start_log(sys.argv[1])
for number in range(1000):
    logging.getLogger("lib.dataset").warning("clip %d is noisy", number)
raise ValueError("too many clips")
"""


def test_a_thousand_warnings_are_in_the_log_and_the_first_in_the_terminal(tmp_path):
    log = tmp_path / "job.log"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[:MAX_MESSAGES] == [f"WARNING: clip {n} is noisy" for n in range(MAX_MESSAGES)]
    assert lines[MAX_MESSAGES:] == [
        f"... more messages of this kind: {log}",
        "ERROR: ValueError: too many clips",
    ]
    text = log.read_text("utf-8")
    assert text.count("is noisy") == 1000 and "Traceback" in text


BARS = """
import sys, datasets
from lib.logs import start_log
start_log(sys.argv[1])
datasets.Dataset.from_dict({"a": [1, 2]}).save_to_disk(sys.argv[2])
"""


def test_saving_a_dataset_draws_no_bar_between_the_stages(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BARS, str(tmp_path / "job.log"), str(tmp_path / "rows")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rows/state.json").is_file()
    assert done.stdout == done.stderr == ""

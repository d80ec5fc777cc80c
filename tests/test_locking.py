"""A lock that ends with its holder."""

import subprocess
import sys
from pathlib import Path

import pytest

from lib.locking import LockedError, take_lock

ROOT = Path(__file__).resolve().parents[1]


def test_a_second_holder_is_told_who_the_first_is(tmp_path):
    script = f"""
import sys, time
from pathlib import Path
from lib.locking import take_lock
lock = take_lock(Path({str(tmp_path / "lock")!r}), "training")
print("held", flush=True)
time.sleep(60)
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=f"process {holder.pid} is training here already"):
        take_lock(tmp_path / "lock", "training")
    holder.kill()
    holder.wait()
    take_lock(tmp_path / "lock", "training").close()
    take_lock(tmp_path / "lock", "training").close()

"""A lock that ends with its holder."""

import errno
import os
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


def refuse_locks(monkeypatch, number: int) -> None:
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("lib.locking.fcntl.flock", flock)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_warned_of_and_used(tmp_path, monkeypatch, caplog, number):
    refuse_locks(monkeypatch, number)
    with take_lock(tmp_path / "state/lock", "training") as lock:
        assert not lock.closed
    (message,) = caplog.messages
    assert f"{tmp_path / 'state'}: this file system has no locks" in message
    assert "a second process from training here" in message


def test_other_faults_of_the_file_system_are_not_hidden(tmp_path, monkeypatch):
    refuse_locks(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        take_lock(tmp_path / "lock", "training")

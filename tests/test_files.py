"""Files are whole or absent, whatever happens halfway."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.files import (
    atomic_directory,
    atomic_path,
    read_json,
    remove_temporaries,
    total_size,
    write_json,
)

ROOT = Path(__file__).resolve().parents[1]


class Halfway(Exception):
    """Something went wrong in the middle."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


# ---------------------------------------------------------------- files


def test_a_file_takes_its_place_on_success(tmp_path):
    target = tmp_path / "deep/er/file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert target.read_text() == "new"
    assert names(target.parent) == ["file.txt"]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("ne")
        assert target.read_text() == "old"
    assert target.read_text() == "ne"


@pytest.mark.parametrize("existed", [True, False])
def test_a_fault_halfway_leaves_what_was_there(tmp_path, existed):
    target = tmp_path / "file.txt"
    if existed:
        target.write_text("old")
    with pytest.raises(Halfway), atomic_path(target) as temporary:
        temporary.write_text("ne")
        raise Halfway
    assert names(tmp_path) == (["file.txt"] if existed else [])
    assert not existed or target.read_text() == "old"


def test_a_kill_halfway_leaves_what_was_there(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from lib.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('ne')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, target], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


def test_files_and_directories_follow_the_umask(tmp_path):
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("x")
    with atomic_directory(tmp_path / "folder"):
        pass
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask()
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~umask()


def test_long_names_leave_room_for_the_temporary_one(tmp_path):
    for name in ("x" * 255, "y" * 200):
        with atomic_path(tmp_path / name) as temporary:
            temporary.write_text(name)
        assert (tmp_path / name).read_text() == name
    with atomic_directory(tmp_path / ("z" * 255)):
        pass


def test_two_writers_never_mix(tmp_path):
    target = tmp_path / "file"
    with atomic_path(target) as one, atomic_path(target) as two:
        one.write_text("one")
        two.write_text("two")
        assert one != two
    assert target.read_text() == "one"


# ---------------------------------------------------------------- after a power cut


@pytest.fixture
def disk(monkeypatch):
    """What was forced to the disk, and what got its name, in order."""
    events, fsync, replace = [], os.fsync, os.replace

    def record_flush(descriptor):
        events.append(("flush", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def record_name(source, destination):
        events.append(("name", Path(destination).name))
        replace(source, destination)

    monkeypatch.setattr("lib.files.os.fsync", record_flush)
    monkeypatch.setattr("lib.files.os.replace", record_name)
    return events


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, disk):
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert disk == [("flush", temporary.name), ("name", "file"), ("flush", tmp_path.name)]


def test_a_directory_is_on_the_disk_before_it_has_its_name(tmp_path, disk):
    (tmp_path / "folder").mkdir()
    with atomic_directory(tmp_path / "folder") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner/file").write_text("new")
    named = disk.index(("name", "folder"))
    before = {name for event, name in disk[:named] if event == "flush"}
    assert before == {temporary.name, "inner", "file"}
    assert disk[-1] == ("flush", tmp_path.name)


@pytest.mark.parametrize(("number", "fatal"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_flush_directories_is_no_fault(
    tmp_path, monkeypatch, number, fatal
):
    fsync = os.fsync

    def refuse_directories(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr("lib.files.os.fsync", refuse_directories)
    with pytest.raises(OSError) if fatal else nullcontext(), atomic_path(tmp_path / "f") as new:
        new.write_text("new")
    assert (tmp_path / "f").read_text() == "new"


def test_the_size_of_files_and_of_all_below_directories(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x" * 100)
    (tmp_path / "file").write_bytes(b"x" * 10)
    empty = sum(path.stat().st_size for path in (tmp_path / "a",))
    assert total_size([tmp_path / "a", tmp_path / "file"]) == 110 + empty
    with pytest.raises(FileNotFoundError):
        total_size([tmp_path / "nobody"])


# ---------------------------------------------------------------- directories


def test_a_directory_takes_the_place_of_a_full_one(tmp_path):
    target = tmp_path / "deep/folder"
    for content in ("old", "new"):
        with atomic_directory(target) as temporary:
            assert not any(temporary.iterdir())
            (temporary / content).write_text(content)
            assert (target / "old").exists() == (content == "new")
    assert names(target) == ["new"]
    assert names(target.parent) == ["folder"]


@pytest.mark.parametrize("existed", [True, False])
def test_a_fault_halfway_leaves_the_directory_that_was_there(tmp_path, existed):
    target = tmp_path / "folder"
    if existed:
        target.mkdir()
        (target / "old").touch()
    with pytest.raises(Halfway), atomic_directory(target) as temporary:
        (temporary / "new").touch()
        raise Halfway
    assert names(tmp_path) == (["folder"] if existed else [])
    assert not existed or names(target) == ["old"]


def test_if_the_new_directory_cannot_come_the_old_one_comes_back(tmp_path, monkeypatch):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    replace = os.replace

    def fail_for_the_new(source, destination):
        if Path(source).suffix == ".tmp":
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr("lib.files.os.replace", fail_for_the_new)
    with pytest.raises(OSError, match="No space"), atomic_directory(target) as temporary:
        (temporary / "new").touch()
    assert names(tmp_path) == ["folder"]
    assert names(target) == ["old"]


# ---------------------------------------------------------------- JSON

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_json_comes_back(value):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "value.json"
        write_json(path, value)
        assert read_json(path) == value


def test_json_is_readable_by_people(tmp_path):
    write_json(tmp_path / "value.json", {"name": "Ọ̀ṣun", "clips": [1]})
    expected = '{\n  "name": "Ọ̀ṣun",\n  "clips": [\n    1\n  ]\n}\n'
    assert (tmp_path / "value.json").read_text("utf-8") == expected


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "value.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "value.json", {"x": object()})
    assert json.loads((tmp_path / "value.json").read_text()) == 1
    assert names(tmp_path) == ["value.json"]


@pytest.mark.parametrize("below", [False, True])
def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path, below):
    """Also what stepped aside, and in the folders below if that is asked for."""
    inner = tmp_path / "clips/more" if below else tmp_path
    inner.mkdir(parents=True, exist_ok=True)
    code = """
import os, sys
from pathlib import Path
from lib.files import atomic_directory, atomic_path
place = Path(sys.argv[1])
(place / "model").mkdir()
os.replace(place / "model", place / ".model.0123abc_.old")
with atomic_path(place / "a.wav") as path, atomic_directory(place / "b") as folder:
    (folder / "inner").mkdir()
    os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", code, inner], cwd=ROOT)
    assert done.returncode == 9 and len(list(inner.iterdir())) == 3
    kept = [inner / name for name in ("a.wav", ".hidden", "c.tmp", ".git.tmp")]
    for path in kept:
        path.write_text("whole")
    remove_temporaries(tmp_path, below)
    assert sorted(inner.iterdir()) == sorted(kept)
    remove_temporaries(tmp_path / "nowhere", below)

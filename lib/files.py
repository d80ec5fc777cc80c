"""Files that are either whole or absent, also after a power cut.

Everything that the library writes is written through these functions: a test looks for writes
that are not.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Can only be read by setting it, for the whole process: once, before there are threads.
_UMASK = os.umask(0o022)
os.umask(_UMASK)
# Names that `tempfile` makes; `.old` is what steps aside for a new directory.
_LEFTOVERS = (".*.????????.tmp", ".*.????????.old")
# Another disk; a file system without them, or where the file is somebody else's; too many names.
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_NO_SPACE = 2**16  # bytes; a file system with fewer is full


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place on success.

    A reader, or a run that was killed halfway, sees the old file or the new one, never a part.
    What it holds is on the disk before it gets its name: after a power cut a name that came
    first would lead to an empty file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    # mkstemp makes files for their owner alone; what we write follows the user's umask.
    temporary.chmod(0o666 & ~_UMASK)
    try:
        with full_disk_told(path):
            yield temporary
            flush_to_disk(temporary)
            os.replace(temporary, path)
            flush_to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path, aside: Path | None = None) -> Iterator[Path]:
    """Yield an empty directory beside `path` that takes its place on success.

    Parameters
    ----------
    aside
        Where the old one is between the two moves that this takes: a caller that names it finds
        it there after a kill.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".tmp"))
    temporary.chmod(0o777 & ~_UMASK)
    try:
        with full_disk_told(path):
            yield temporary
            for inner in temporary.rglob("*"):
                flush_to_disk(inner)
            flush_to_disk(temporary)
        # A directory cannot replace a full one in one step: the old one steps aside first.
        aside = aside or temporary.with_suffix(".old")
        shutil.rmtree(aside, ignore_errors=True)
        if path.exists():
            os.replace(path, aside)
        try:
            os.replace(temporary, path)
        except OSError:
            if aside.exists():
                os.replace(aside, path)
            raise
        flush_to_disk(path.parent)
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Say of a full disk what to do, whatever the library that was writing raises for it."""
    try:
        yield
    except Exception as error:
        if not _is_full(error, path.parent):
            raise
        advice = "the disk is full: free some space and start again, which goes on from there"
        raise OSError(errno.ENOSPC, advice, str(path)) from error


def _is_full(error: Exception, folder: Path) -> bool:
    """Return whether an error comes of a full disk; torch and safetensors have errors of their own.

    A ValueError does not, as it says what is wrong with a value.
    """
    if isinstance(error, OSError) and error.errno:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if os.strerror(errno.ENOSPC) in str(error):
        return True
    return not isinstance(error, ValueError) and shutil.disk_usage(folder).free < _NO_SPACE


def remove_temporaries(folder: Path, below: bool = False) -> None:
    """Remove what killed processes have left of `atomic_path` and `atomic_directory` in a folder.

    No other process may be writing into the folder itself.

    Parameters
    ----------
    below
        Whether to look into all folders below it as well.
    """
    find = folder.rglob if below else folder.glob
    for leftover in [path for pattern in _LEFTOVERS for path in find(pattern)]:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def link_file(path: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has none.

    Only for files that are never changed in place.
    """
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(path, target)


def flush_to_disk(path: Path) -> None:
    """Wait until the content of a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems do not know this of directories; they write names at once.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", "utf-8")


def total_size(paths: Iterable[Path]) -> int:
    """Return the bytes of files, and of all files below directories.

    Raises
    ------
    FileNotFoundError
        If one of them is not there yet.
    """
    total = 0
    for path in paths:
        total += path.stat().st_size
        total += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return total


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return parse_json(path.read_text("utf-8"))


def parse_json(text: str | bytes) -> Any:
    """Return the value that a JSON text holds.

    Raises
    ------
    ValueError
        If it is none, also if it is nested so deep that it exhausts the parser.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None

"""A place for copies of folders: a folder of this machine, or one that rsync reaches."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path, PurePosixPath
from typing import Protocol

from lib.files import atomic_directory

_REMOTE = re.compile(r"rsync://.+|[^/:]+::?.+")
"""As rsync reads it: with a colon before the first slash it is on another machine."""
_TIMEOUT = 120
"""Seconds without an answer after which a copy has failed; the next one is tried anew."""


class StorageError(ValueError):
    """A place cannot be read or written."""


class Storage(Protocol):
    """A place with folders, each of a name like ``training-1a2b/checkpoints/epoch0025``."""

    def list(self, name: str = "") -> list[str]:
        """Return the names within a folder, sorted; none if it does not exist."""

    def put(self, folder: Path, name: str) -> None:
        """Copy a folder there, in place of an earlier one of that name."""

    def get(self, name: str, folder: Path, only: str | None = None) -> None:
        """Copy a folder from there, or all files of one name below it, to a folder that exists."""

    def remove(self, name: str) -> None:
        """Remove a folder there."""


def open_storage(target: str) -> Storage:
    """Return the place that a text names; one on another machine is as rsync takes it.

    Raises
    ------
    StorageError
        If it cannot be read or written to.
    """
    if target.startswith("-"):
        raise StorageError(f"{target}: expected a folder or an rsync target, got an option")
    if _REMOTE.fullmatch(target):
        return RsyncStorage(target)
    return FolderStorage(Path(target).expanduser())


class FolderStorage:
    """A folder of this machine, such as a mounted volume."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                pass
        except OSError as error:
            raise StorageError(f"{root} cannot be written to: {error.strerror}") from None

    def list(self, name: str = "") -> list[str]:
        """See `Storage`."""
        folder = self.root / name
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        return sorted(name for name in names if not name.startswith("."))

    def put(self, folder: Path, name: str) -> None:
        """See `Storage`; there is the old one or the new one, also after a kill."""
        try:
            with atomic_directory(self.root / name) as temporary:
                shutil.copytree(folder, temporary, dirs_exist_ok=True)
        except OSError as error:  # of one file, or of several (`shutil.Error`)
            raise StorageError(f"{self.root / name} cannot be written: {error}") from None

    def get(self, name: str, folder: Path, only: str | None = None) -> None:
        """See `Storage`."""
        source = self.root / name
        try:
            for path in source.rglob(only or "*"):
                if path.is_file():
                    target = folder / path.relative_to(source)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, target)
        except OSError as error:
            raise StorageError(f"{source} cannot be read: {error}") from None

    def remove(self, name: str) -> None:
        """See `Storage`."""
        shutil.rmtree(self.root / name, ignore_errors=True)


class RsyncStorage:
    """A folder on another machine; of another port or key the variable RSYNC_RSH tells rsync."""

    def __init__(self, target: str) -> None:
        self.target = target.rstrip("/")
        self._made: set[str] = set()
        if shutil.which("rsync") is None:
            raise StorageError(f"{target} is reached by rsync, which is not installed here")
        self._make(PurePosixPath())

    def list(self, name: str = "") -> list[str]:
        """See `Storage`."""
        try:
            said = self._run("--list-only", self._place(name))
        except StorageError as error:
            if "No such file" in str(error):
                return []
            raise
        # Permissions, size, date, time, name.
        names = (line.split(maxsplit=4)[4] for line in said.splitlines() if line[:1] in "d-")
        return sorted(name for name in names if not name.startswith("."))

    def put(self, folder: Path, name: str) -> None:
        """See `Storage`; the files that were copied get their names together, at the end."""
        self._make(PurePosixPath(name).parent)
        # Weights that replace others have their size, and perhaps their second.
        sent = ("--recursive", "--delete", "--delay-updates", "--ignore-times", "--whole-file")
        self._run(*sent, f"{folder}/", self._place(name))

    def get(self, name: str, folder: Path, only: str | None = None) -> None:
        """See `Storage`."""
        chosen = ["--include=*/", f"--include={only}", "--exclude=*"] if only else []
        self._run("--recursive", "--times", *chosen, self._place(name), f"{folder}/")

    def remove(self, name: str) -> None:
        """See `Storage`."""
        path = PurePosixPath(name)
        with tempfile.TemporaryDirectory() as empty:
            chosen = [f"--include=/{path.name}/***", "--exclude=*"]
            self._run("--recursive", "--delete", *chosen, f"{empty}/", self._place(path.parent))

    def _make(self, folder: PurePosixPath) -> None:
        """Make a folder and those above it, one at a time: older versions of rsync want that."""
        for path in (*reversed(folder.parents), folder):
            if str(path) not in self._made:
                with tempfile.TemporaryDirectory() as empty:
                    self._run("--dirs", f"{empty}/", self._place(path))
                self._made.add(str(path))

    def _place(self, name: str | PurePosixPath) -> str:
        return f"{self.target}/" if str(name) in ("", ".") else f"{self.target}/{name}/"

    def _run(self, *arguments: str) -> str:
        # No question that nobody answers, such as for a password.
        shell = os.environ.get("RSYNC_RSH", "ssh -o BatchMode=yes")
        command = ["rsync", f"--timeout={_TIMEOUT}", *arguments]
        done = subprocess.run(
            command,
            env={**os.environ, "RSYNC_RSH": shell, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise StorageError(f"rsync cannot reach {self.target}: {said[0]}")
        return done.stdout

"""Keeps copies of a training's checkpoints, so that a machine that vanishes costs minutes.

A kept training is a folder of its own, named after what is trained of which data: so a place can
hold several, and none is mistaken for another. One that starts anew gets the next number.

    training-1a2b3c4d5e6f/checkpoints/epoch0025/   as in the results
    training-1a2b3c4d5e6f/tensorboard/
    training-1a2b3c4d5e6f/summary/training.json    of one that has ended
    training-1a2b3c4d5e6f.2/                       the same, started anew
"""

import logging
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from lib.base_model.weights import (
    AVERAGE_FILE,
    STATE_FILE,
    DamagedCheckpointError,
    check_file,
    read_record,
)
from lib.files import atomic_directory
from lib.keeping.storage import Storage, StorageError, open_storage

logger = logging.getLogger(__name__)

CHECKPOINTS, CURVES, SUMMARY = "checkpoints", "tensorboard", "summary"
BEST = "best"
RESUMABLE_FILE = "optimizers.pt"
"""Only a checkpoint with this file lets a training go on."""


class CheckpointKeeper:
    """Copies what a training writes to a place, in a thread, while the training goes on.

    Parameters
    ----------
    target
        A folder, or what rsync takes as one on another machine; None keeps nothing.
    name
        Name of the training, of what is trained and of which data.
    surplus
        Returns those of some names of checkpoints that need not be kept.

    Raises
    ------
    StorageError
        If the place cannot be reached now. Later that is a warning: the training is worth more
        than its copy, and the next checkpoint is tried again.
    """

    def __init__(
        self, target: str | None, name: str, surplus: Callable[[Iterable[str]], list[str]]
    ) -> None:
        self._surplus = surplus
        self._storage: Storage | None = open_storage(target) if target else None
        self._name = self._newest(name) if self._storage else name
        self._first = name
        self._queue: queue.Queue[tuple[Path, str] | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def _newest(self, name: str) -> str:
        """Return the name of the training that was started last, of those with a name."""
        found = [_number(entry, name) for entry in self._storage.list()]
        return _numbered(name, max((number for number in found if number), default=1))

    def fetch(self, checkpoints: Path, curves: Path) -> None:
        """Bring the newest kept checkpoint and the best, unless there is one as new here.

        Of other milestones the averaged weights are enough: voices can be made of them.

        Raises
        ------
        StorageError
            If the place cannot be read.
        """
        if self._storage is None or CHECKPOINTS not in self._storage.list(self._name):
            return
        kept = f"{self._name}/{CHECKPOINTS}"
        with tempfile.TemporaryDirectory() as records:
            self._storage.get(kept, Path(records), only=STATE_FILE)
            there = _read_steps(Path(records))
        steps = _read_steps(checkpoints)
        # Of some only the average was brought.
        whole = (name for name in steps if (checkpoints / name / RESUMABLE_FILE).is_file())
        here = max((steps[name] for name in whole), default=-1)
        for step, name in sorted(((step, name) for name, step in there.items()), reverse=True):
            if step <= here:
                return
            if self._bring(f"{kept}/{name}", checkpoints / name):
                logger.info("Going on from %s, which was kept at %s", name, kept)
                break
        else:
            return
        if BEST in self._storage.list(kept):
            self._bring(f"{kept}/{BEST}", checkpoints / BEST)
        # None of later ones, which the training comes to once more and then saves as a whole.
        earlier = [name for name, reached in there.items() if reached < step]
        for name in set(earlier) - set(self._surplus(there)):
            if name.startswith("epoch"):
                self._bring_average(f"{kept}/{name}", checkpoints / name)
        if CURVES in self._storage.list(self._name) and not any(curves.glob("*")):
            curves.mkdir(parents=True, exist_ok=True)
            self._storage.get(f"{self._name}/{CURVES}", curves)

    def _bring(self, name: str, folder: Path) -> bool:
        """Copy a checkpoint here; return whether it is whole."""
        try:
            with atomic_directory(folder) as temporary:
                self._storage.get(name, temporary)
                for file, checksum in read_record(temporary)["checksums"].items():
                    check_file(temporary / file, checksum)
        except DamagedCheckpointError as error:
            logger.warning("Skipped a kept checkpoint, %s: %s", name, error)
            return False
        return True

    def _bring_average(self, name: str, folder: Path) -> None:
        """Copy the averaged weights of a checkpoint here, unless it is here."""
        if folder.exists():
            return
        try:
            with atomic_directory(folder) as temporary:
                for file in (STATE_FILE, AVERAGE_FILE):
                    self._storage.get(name, temporary, only=file)
                checksums = read_record(temporary)["checksums"]
                check_file(temporary / AVERAGE_FILE, checksums.get(AVERAGE_FILE))
        except DamagedCheckpointError as error:
            logger.warning("Skipped a kept checkpoint, %s: %s", name, error)

    def start_anew(self) -> None:
        """Keep what follows beside what is there, since the training starts anew."""
        if self._storage is not None and self._storage.list(self._name):
            number = _number(self._name, self._first) or 1
            self._name = _numbered(self._first, number + 1)

    def keep_checkpoint(self, directory: Path) -> None:
        """Copy a checkpoint as soon as the copies before it are made."""
        self._keep(directory, f"{CHECKPOINTS}/{directory.name}")

    def keep_outcome(self, curves: Path, summary: Path) -> None:
        """Copy the curves and the summary of a training that is finished."""
        self._keep(curves, CURVES)
        self._keep(summary, SUMMARY)

    def _keep(self, path: Path, name: str) -> None:
        if self._storage is not None:
            self._queue.put((path, f"{self._name}/{name}"))

    def __enter__(self) -> "CheckpointKeeper":
        if self._storage is not None:
            self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until everything is copied."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            path, name = job
            try:
                self._put(path, name)
            except (StorageError, OSError) as error:
                logger.warning("%s is not kept: %s", path, error)

    def _put(self, path: Path, name: str) -> None:
        if path.is_dir():
            self._storage.put(path, name)
            self._remove_surplus()
            return
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy2(path, folder)
            self._storage.put(Path(folder), name)

    def _remove_surplus(self) -> None:
        kept = f"{self._name}/{CHECKPOINTS}"
        for name in self._surplus(self._storage.list(kept)):
            self._storage.remove(f"{kept}/{name}")


def _read_steps(checkpoints: Path) -> dict[str, int]:
    """Return the steps of each checkpoint in a folder from which a training can go on."""
    steps = {}
    for directory in checkpoints.glob("[!.]*"):
        try:
            record = read_record(directory)
        except DamagedCheckpointError:
            continue
        if RESUMABLE_FILE in record["checksums"]:
            steps[directory.name] = record["state"]["step"]
    return steps


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}.{number}"


def _number(entry: str, name: str) -> int | None:
    """Return the number of a training's folder; None for the folder of another training."""
    if entry == name:
        return 1
    start, _, number = entry.rpartition(".")
    return int(number) if start == name and number.isdigit() else None

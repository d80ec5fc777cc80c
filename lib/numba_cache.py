"""A cache of compiled functions for each job, so that jobs at the same time cannot harm each other.

Numba keeps a vectorised function in two files: the compiled function, and a wrapper that calls it
by a name that depends on what else the process compiled. It replaces each file by itself. Where
two processes compile the same function at the same time, the wrapper of one can stay beside the
function of the other, and every later call ends in a segmentation fault. A job therefore works
on a private copy, and what it adds is published as one file, which replaces the earlier in one
step: all that is in it was written by processes that knew each other's files.
"""

import atexit
import logging
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from lib.files import atomic_path

logger = logging.getLogger(__name__)

# Compiling what librosa compiles when it is imported takes half a minute, so the cache is shared
# by all runs in an environment.
ARCHIVE = Path(sys.prefix, "numba_cache.zip")
# Entries of sources that are gone are never removed one by one: a larger archive is begun anew.
MAX_SIZE = 64 * 2**20  # bytes


def use_private_cache(archive: Path = ARCHIVE) -> Path:
    """Give this process a cache of its own, filled from the archive; publish it at the exit.

    Call it before the first function with a cache is compiled or loaded.

    Returns
    -------
    Path
        The private folder. It is removed when the process ends.
    """
    folder = Path(tempfile.mkdtemp(prefix="numba-cache-"))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    _unpack(archive, folder)
    atexit.register(_publish, folder, _state(folder), archive, os.getpid())
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    """Fill a folder from the archive; without a usable archive it stays empty."""
    try:
        if archive.stat().st_size <= MAX_SIZE:
            # Unlike tarfile before Python 3.11.4, it writes nothing outside the folder.
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(folder)
    except FileNotFoundError:
        pass
    except Exception as error:  # a flipped bit asks for another compression, a password, ...
        logger.info("%s is not usable (%s): compiling anew", archive, error)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()


def _publish(folder: Path, before: dict[Path, tuple[int, int]], archive: Path, owner: int) -> None:
    """Pack a folder that has grown; a place that cannot be written keeps the earlier archive."""
    if os.getpid() != owner:  # a forked child inherits the registration
        return
    try:
        if _state(folder) != before:
            with atomic_path(archive) as temporary, zipfile.ZipFile(temporary, "w") as packed:
                for path in _state(folder):
                    packed.write(path, path.relative_to(folder))
    except OSError as error:
        logger.info("compiled functions are not kept: %s", error)
    shutil.rmtree(folder, ignore_errors=True)


def _state(folder: Path) -> dict[Path, tuple[int, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

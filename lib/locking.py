"""Locks that the kernel releases when their holder dies, however it dies.

Snakemake's own lock is a file: after ``kill -9`` or a power cut it is still there and the next
run refuses to start until somebody unlocks by hand. `filelock` takes the same kernel lock, but
its descriptor is not inherited; here the workers of a training hold the lock too.
"""

import errno
import fcntl
import logging
import os
from pathlib import Path
from typing import IO

from lib.errors import ExpectedStop

logger = logging.getLogger(__name__)

# What file systems without locks answer: Lustre as it is often mounted, some NFS.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


class LockedError(ValueError, ExpectedStop):
    """Another process holds the lock."""


def take_lock(path: Path, purpose: str) -> IO[str]:
    """Take a lock and hold it until the returned file is closed or the process ends.

    A file system that has no locks is no reason to refuse: a warning says so.

    Parameters
    ----------
    purpose
        What the holder does, for the message to a second one.

    Raises
    ------
    LockedError
        Naming the process that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise LockedError(
            f"{path.parent}: process {holder} is {purpose} here already; wait until it has "
            f"finished or stop it (kill {holder})"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            file.close()
            raise
        logger.warning(
            "%s: this file system has no locks (%s): nothing keeps a second process from %s here "
            "at the same time. See to it yourself",
            path.parent,
            error.strerror,
            purpose,
        )
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file

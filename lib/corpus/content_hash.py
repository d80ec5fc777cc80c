"""Content digests of audio, with a cache so that unchanged files are not read again."""

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lib.files import atomic_path

logger = logging.getLogger(__name__)

DIGEST_SIZE = 16  # bytes
DIGEST = re.compile(f"[0-9a-f]{{{2 * DIGEST_SIZE}}}")
# A file may change without a new time stamp within the resolution of its file system, which is up
# to 2 s on FAT. So a file that was changed this recently is read again next time.
SETTLING_TIME = 2_000_000_000  # ns


def digest_bytes(content: bytes | memoryview) -> str:
    """Return the digest of some audio."""
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).hexdigest()


def digest_file(path: str) -> str:
    """Return the digest of a file's content."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_SIZE))
        return digest.hexdigest()


class ContentHashCache:
    """Digests by path, which are valid while the file's size and time stamps do not change."""

    def __init__(self, path: Path | None):
        self._path = path
        self._old = _load(path) if path else {}
        self._new: dict[str, list[Any]] = {}

    def look_up(self, key: str, stat: os.stat_result, compute: Callable[[], Any]) -> Any:
        """Return the cached result of `compute` for a file; call it if `stat` has changed."""
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        entry = self._old.get(key)
        if entry is None or entry[0] != stamp:
            settled = time.time_ns() - max(stamp[1:]) > SETTLING_TIME
            entry = [stamp if settled else None, compute()]
        self._new[key] = entry
        return entry[1]

    def save(self) -> None:
        """Write the digests of the files that were looked up, if any is new."""
        settled = {key: entry for key, entry in self._new.items() if entry[0]}
        if self._path and settled != self._old:
            try:
                with atomic_path(self._path) as temporary:
                    temporary.write_text(json.dumps(settled), "utf-8")
            except OSError as error:
                logger.warning("%s: the next start reads all audio again", error)


def _load(path: Path) -> dict[str, list[Any]]:
    try:
        entries = json.loads(path.read_bytes())
        if all(_is_entry(*entry) for entry in entries.values()):
            return entries
        raise ValueError("not a table of content hashes")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        logger.warning("%s is damaged (%s): reading all audio again", path, error)
        return {}


def _is_entry(stamp: Any, digests: Any) -> bool:
    """Return whether an entry is valid: a stamp with the digest of a file or of its rows."""
    rows = digests if isinstance(digests, list) else [digests or ""]
    return len(stamp) == 3 and all(row is None or DIGEST.fullmatch(row) for row in rows)
